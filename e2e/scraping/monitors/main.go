// The configuration that the Prometheus operator's own generator makes of monitors.
//
//	monitors VERSION < monitors.yaml
//
// prints it for a Prometheus of that version which selects every ServiceMonitor and PodMonitor given.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	yamlreader "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type monitors struct {
	services map[string]*monitoringv1.ServiceMonitor
	pods     map[string]*monitoringv1.PodMonitor
}

func (known monitors) add(document []byte) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case monitoringv1.ServiceMonitorsKind:
		made := &monitoringv1.ServiceMonitor{}
		known.services[fmt.Sprint(len(known.services))] = made
		return yaml.UnmarshalStrict(document, made)
	case monitoringv1.PodMonitorsKind:
		made := &monitoringv1.PodMonitor{}
		known.pods[fmt.Sprint(len(known.pods))] = made
		return yaml.UnmarshalStrict(document, made)
	default:
		return fmt.Errorf("no monitor but a %q", kind.Kind)
	}
}

func read(documents io.Reader) (monitors, error) {
	known := monitors{
		services: map[string]*monitoringv1.ServiceMonitor{},
		pods:     map[string]*monitoringv1.PodMonitor{},
	}
	reader := yamlreader.NewYAMLReader(bufio.NewReader(documents))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return known, nil
		}
		if err != nil {
			return known, err
		}
		if err := known.add(document); err != nil {
			return known, err
		}
	}
}

// What the Prometheus operator writes for a Prometheus of this version that selects these monitors.
func configuration(documents io.Reader, version string) ([]byte, error) {
	known, err := read(documents)
	if err != nil {
		return nil, err
	}
	server := &monitoringv1.Prometheus{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus", Namespace: "monitoring"},
	}
	server.Spec.Version = version
	server.Spec.ScrapeInterval = "30s"
	server.Spec.EvaluationInterval = "30s"
	generator, err := prometheus.NewConfigGenerator(nil, server)
	if err != nil {
		return nil, err
	}
	return generator.GenerateServerConfiguration(
		server, known.services, known.pods, nil, nil, assets.NewTestStoreBuilder(), nil, nil, nil, nil,
	)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "error: want the version of Prometheus")
		os.Exit(2)
	}
	made, err := configuration(os.Stdin, os.Args[1])
	if err == nil {
		_, err = os.Stdout.Write(made)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
