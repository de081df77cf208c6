// Command controllers stands for what the rig cannot run for real: virt-operator and the
// HyperConverged Cluster Operator. It also makes the rig's certificates.
//
//	controllers certificates DIR ADDRESS...
//	controllers virt-operator --kubeconfig FILE --namespace NS --version V
//	controllers hco --kubeconfig FILE --namespace NS --address HOST:PORT --certificates DIR
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// period is how often each controller looks at its objects. Polling, unlike a watch, needs no
// recovery when the API server is restarted, which tests do.
const period = 250 * time.Millisecond

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	if len(os.Args) < 3 {
		log.Fatal("usage: controllers certificates|virt-operator|hco ...")
	}
	command, arguments := os.Args[1], os.Args[2:]
	if command == "certificates" {
		if err := writeCertificates(arguments[0], arguments[1:]); err != nil {
			log.Fatal(err)
		}
		return
	}

	flags := flag.NewFlagSet(command, flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	namespace := flags.String("namespace", "kubevirt", "where KubeVirt is installed")
	version := flags.String("version", "", "virt-operator: the version it claims to have deployed")
	address := flags.String("address", "", "hco: where its webhook listens")
	certificates := flags.String("certificates", "", "hco: the folder with server.crt and server.key")
	_ = flags.Parse(arguments)

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	config.QPS, config.Burst = 100, 100
	client := dynamic.NewForConfigOrDie(config)

	switch command {
	case "virt-operator":
		operator := virtOperator{client: client.Resource(kubeVirts).Namespace(*namespace), version: *version}
		poll(operator.reconcile)
	case "hco":
		hco := hyperConverged{
			kubeVirts:       client.Resource(kubeVirts).Namespace(*namespace),
			hyperConvergeds: client.Resource(hyperConvergeds).Namespace(*namespace),
		}
		go func() { log.Fatal(serveWebhook(*address, *certificates, hco)) }()
		poll(hco.reconcile)
	default:
		log.Fatalf("unknown command %q", command)
	}
}

// poll calls reconcile for ever. An error is logged once, not each time it comes again.
func poll(reconcile func(context.Context) error) {
	last := ""
	for ; ; time.Sleep(period) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := reconcile(ctx)
		cancel()
		now := ""
		if err != nil {
			now = err.Error()
		}
		if now != last && now != "" {
			log.Print(now)
		}
		last = now
	}
}
