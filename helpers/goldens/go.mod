module cluster-profiler-job/goldens

go 1.26
