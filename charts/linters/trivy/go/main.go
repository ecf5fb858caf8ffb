// Trivy's checks of Kubernetes manifests over those of a folder: what fails, as JSON.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/aquasecurity/trivy/pkg/iac/rego"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/kubernetes"
)

type finding struct {
	ID   string `json:"id"`
	File string `json:"file"`
	Text string `json:"text"`
}

func main() {
	scanner := kubernetes.NewScanner(rego.WithEmbeddedPolicies(true), rego.WithEmbeddedLibraries(true))
	results, err := scanner.ScanFS(context.Background(), os.DirFS(os.Args[1]), ".")
	if err != nil {
		log.Fatal(err)
	}
	found := []finding{}
	for _, each := range results.GetFailed() {
		flat := each.Flatten()
		found = append(found, finding{each.Rule().ID, flat.Location.Filename, flat.Description})
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}
