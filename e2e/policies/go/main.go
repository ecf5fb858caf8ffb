// The policy engine of sigs.k8s.io/kube-network-policies, given a kubeconfig and a queue.
//
// Its own program wants to run in a pod and to lead packets to its queue by nftables' queue
// expression, which not every kernel has: here iptables does that (e2e/policies/engine.py).
package main

import (
	"context"
	"flag"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "path of a kubeconfig")
	node := flag.String("node", "", "name of this node")
	queue := flag.Int("queue", 0, "number of the netfilter queue")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	access, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		klog.Fatalf("kubeconfig: %v", err)
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		klog.Fatalf("client: %v", err)
	}
	known := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(
		client,
		known.Networking().V1().NetworkPolicies(),
		known.Core().V1().Namespaces(),
		known.Core().V1().Pods(),
		nil, nil, nil, nil,
		networkpolicy.Config{NodeName: *node, QueueID: *queue},
	)
	if err != nil {
		klog.Fatalf("controller: %v", err)
	}
	known.Start(ctx.Done())
	if err := controller.Run(ctx); err != nil {
		klog.Fatalf("engine: %v", err)
	}
}
