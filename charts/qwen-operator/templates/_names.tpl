{{- /* The release's own objects. A Service's name has no dots and begins with a letter. */ -}}
{{- define "qwen-operator.name" -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $release) -}}
{{- printf "qwen-operator-%s" $release | trunc 53 | trimSuffix "-" -}}
{{- else if contains "qwen-operator" $release -}}
{{- $release | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-qwen-operator" $release | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What there may be once: the role over the cluster, and that in a watched namespace. The same
name for every release, so that a second one for the same resources cannot be installed. */ -}}
{{- define "qwen-operator.scope" -}}
qwen-operator
{{- end -}}

{{- define "qwen-operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "qwen-operator.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "qwen-operator.selector" -}}
app.kubernetes.io/name: qwen-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "qwen-operator.labels" -}}
{{ include "qwen-operator.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The labels, and more of somebody's wish. */ -}}
{{- define "qwen-operator.labelsWith" -}}
{{- mergeOverwrite (include "qwen-operator.labels" .root | fromYaml) .more | toYaml -}}
{{- end -}}

{{- define "qwen-operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "qwen-operator.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "qwen-operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "qwen-operator.pullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}
