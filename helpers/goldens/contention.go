package main

import (
	"sync"
	"time"

	"cluster-profiler-job/goldens/shapes.v1"
)

const (
	rivals = 4
	rounds = 40
	// hold is about the block profile's rate: some waits are shorter, and the
	// runtime scales those up.
	hold = 30 * time.Microsecond
)

// contend fights for locks (mutex and block profiles) and waits for others
// (block profile only) at the end of every route, and joins all it starts.
func contend(routes []shapes.Route) {
	for _, route := range routes {
		var mutex sync.Mutex
		fight(route, &mutex)
		var shared sync.RWMutex
		fight(route, shared.RLocker(), &shared)
		exchange(route)
	}
	rendezvous()
}

// fight has rivals that take turns with the locks.
func fight(route shapes.Route, locks ...sync.Locker) {
	var group sync.WaitGroup
	for rival := range rivals {
		group.Go(func() {
			for round := range rounds {
				lock := locks[(rival+round)%len(locks)]
				route(func() {
					lock.Lock()
					time.Sleep(hold)
					lock.Unlock()
				})
			}
		})
	}
	group.Wait()
}

// exchange waits to receive, to send and to select.
func exchange(route shapes.Route) {
	requests, replies, never := make(chan int), make(chan int), make(chan int)
	go func() {
		defer close(replies)
		for request := range requests {
			time.Sleep(hold)
			replies <- request
		}
	}()
	for round := range rounds {
		route(func() { requests <- round })
		route(func() {
			select {
			case <-replies:
			case <-never:
			}
		})
	}
	close(requests)
	route(func() { <-replies })
}

// rendezvous waits on a condition and on a group.
func rendezvous() {
	var mutex sync.Mutex
	open := false
	cond := sync.NewCond(&mutex)
	var group sync.WaitGroup
	for range rivals {
		group.Go(func() {
			mutex.Lock()
			defer mutex.Unlock()
			for !open {
				cond.Wait()
			}
		})
	}
	time.Sleep(10 * time.Millisecond)
	mutex.Lock()
	open = true
	cond.Broadcast()
	mutex.Unlock()
	group.Wait()
}
