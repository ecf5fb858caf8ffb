{{- /* Refuses a release whose operator would write over another's work, or that would be made by half.
Renders nothing; what it looks up is empty where no cluster is asked (helm template). */ -}}

{{- /* release/namespace of an object that Helm made, empty for others' and for this release's. */ -}}
{{- define "qwen-operator.stranger" -}}
{{- $marks := dict }}
{{- with .object }}{{ $marks = .metadata.annotations | default dict }}{{ end }}
{{- $release := get $marks "meta.helm.sh/release-name" }}
{{- $namespace := get $marks "meta.helm.sh/release-namespace" }}
{{- if and $release (or (ne $release .root.Release.Name) (ne $namespace .root.Release.Namespace)) -}}
{{- printf "release %s of namespace %s" $release $namespace -}}
{{- end -}}
{{- end -}}

{{- define "qwen-operator.refuseStrangersDefinition" -}}
{{- $name := "qwendeployments.qwen-operator.dev" }}
{{- $found := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" $name }}
{{- with include "qwen-operator.stranger" (dict "root" . "object" $found) }}
{{- fail (printf "\n\nThe definition %s belongs to %s. To use it as it is, set crds.install=false. If that release is gone for good, hand the definition over:\n  kubectl annotate --overwrite crd %s meta.helm.sh/release-name=%s meta.helm.sh/release-namespace=%s\n" $name . $name $.Release.Name $.Release.Namespace) }}
{{- end }}
{{- end -}}

{{- define "qwen-operator.refuseOverlap" -}}
{{- $why := "Two operators of one QwenDeployment would write over each other" }}
{{- $rbac := "rbac.authorization.k8s.io/v1" }}
{{- $scope := include "qwen-operator.scope" . }}
{{- $everywhere := lookup $rbac "ClusterRole" "" $scope }}
{{- with include "qwen-operator.stranger" (dict "root" . "object" $everywhere) }}
{{- fail (printf "\n\nwatchNamespaces: %s watches the whole cluster already. %s: give that release watchNamespaces of its own first, or uninstall it.\n" . $why) }}
{{- end }}
{{- range .Values.watchNamespaces }}
{{- $there := lookup $rbac "Role" . $scope }}
{{- $namespace := . }}
{{- with include "qwen-operator.stranger" (dict "root" $ "object" $there) }}
{{- fail (printf "\n\nwatchNamespaces: %s watches namespace %s already. %s: leave %s out.\n" . $namespace $why $namespace) }}
{{- end }}
{{- end }}
{{- if not .Values.watchNamespaces }}
{{- range (lookup $rbac "Role" "" "").items }}
{{- if eq .metadata.name $scope }}
{{- $namespace := .metadata.namespace }}
{{- with include "qwen-operator.stranger" (dict "root" $ "object" .) }}
{{- fail (printf "\n\nwatchNamespaces is empty, which means the whole cluster, and %s watches namespace %s already. %s: name the namespaces of this release in watchNamespaces, or uninstall that release.\n" . $namespace $why) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Objects for a namespace that is missing would be refused after others were made. */ -}}
{{- define "qwen-operator.refuseMissingNamespaces" -}}
{{- $named := dict "watchNamespaces" .Values.watchNamespaces }}
{{- if .Values.networkPolicy.enabled }}
{{- $_ := set $named "networkPolicy.models.namespaces" .Values.networkPolicy.models.namespaces }}
{{- end }}
{{- if and .Values.dashboards.enabled .Values.dashboards.namespace }}
{{- $_ := set $named "dashboards.namespace" (list .Values.dashboards.namespace) }}
{{- end }}
{{- $asked := lookup "v1" "Namespace" "" "default" }}
{{- range $value, $namespaces := $named }}
{{- range without $namespaces $.Release.Namespace }}
{{- if and $asked (not (lookup "v1" "Namespace" "" .)) }}
{{- fail (printf "\n\n%s: there is no namespace %s; make it first:\n  kubectl create namespace %s\n" $value . .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
