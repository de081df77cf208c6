// Command crds prints the CustomResourceDefinitions of the KubeVirt version that the module it is
// built in requires, as one JSON List. virt-api does not start before it can list most of them.
//
// Each version's folder has a link to this file.
package main

import (
	"encoding/json"
	"log"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/install"
	"kubevirt.io/kubevirt/pkg/virt-operator/util"
)

func main() {
	// virt-operator's own install strategy knows all but the KubeVirt CRD.
	strategy, err := install.GenerateCurrentInstallStrategy(&util.KubeVirtDeploymentConfig{}, "", "kubevirt")
	if err != nil {
		log.Fatal(err)
	}
	kubevirt, err := components.NewKubeVirtCrd()
	if err != nil {
		log.Fatal(err)
	}
	list := metav1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	for _, crd := range append(strategy.CRDs(), kubevirt) {
		list.Items = append(list.Items, runtime.RawExtension{Object: crd})
	}
	if err := json.NewEncoder(os.Stdout).Encode(list); err != nil {
		log.Fatal(err)
	}
}
