// Command slashbatch serves declared read endpoints over PostgreSQL and gives
// each of them a /batch twin. See README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"slashbatch/internal/cli"
)

func main() {
	// The first signal asks to stop in order, a second one at once.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ctx, stop := context.WithCancel(context.Background())
	hard, stopHard := context.WithCancel(context.Background())
	go func() {
		<-signals
		stop()
		<-signals
		stopHard()
	}()
	os.Exit(cli.Main(ctx, hard, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
