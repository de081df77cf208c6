package main

import (
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// waits has one function for each state in which a goroutine can wait.
func waits(never <-chan struct{}) ([]func(), error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	reader, _, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		return nil, err
	}
	var mutex sync.Mutex
	mutex.Lock()
	var shared sync.RWMutex
	shared.Lock()
	var group sync.WaitGroup
	group.Add(1)
	cond := sync.NewCond(new(sync.Mutex))

	return []func(){
		func() { <-never },
		func() { make(chan int) <- 1 },
		func() { <-(chan int)(nil) },
		func() { (chan int)(nil) <- 1 },
		func() { selectOf(never) },
		func() { select {} },
		func() { _, _ = listener.Accept() },
		func() { _, _ = reader.Read(make([]byte, 1)) },
		func() { _, _ = syscall.Read(pipe[0], make([]byte, 1)) },
		mutex.Lock,
		shared.Lock,
		shared.RLock,
		group.Wait,
		func() { cond.L.Lock(); cond.Wait() },
		func() { time.Sleep(time.Hour) },
		locked(func() { <-never }),
		locked(func() { selectOf(never) }),
		locked(func() { time.Sleep(time.Hour) }),
		exiting(func() { <-never }),
	}, nil
}

func selectOf(never <-chan struct{}) {
	select {
	case <-never:
	case <-time.After(time.Hour):
	}
}

// locked waits on a thread of its own, which gives threadcreate a thread too.
func locked(wait func()) func() {
	return func() {
		runtime.LockOSThread()
		wait()
	}
}

// exiting waits below runtime.Goexit, a frame that a traceback does not hide.
func exiting(wait func()) func() {
	return func() {
		defer wait()
		runtime.Goexit()
	}
}
