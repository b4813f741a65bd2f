package mpi

import (
	"fmt"
	"os"
	"strconv"
)

// launch is what the environment says of how the process was started.
type launch struct {
	by      string // the variable that says so; "" if no MPI launcher did
	size    int    // processes; 0 if that is not known
	openMPI bool   // the launcher speaks Open MPI's language: PMIx
}

// Launched reports whether an MPI launcher started this process beside others. A task that is alone, such as a Slurm job's only
// one, is none of several.
func Launched() bool { return launchOf(os.Getenv).several() }

// CheckAlone returns an error where an MPI launcher has started several copies of a command that knows nothing of others; it says, too, which can.
func CheckAlone(command, can string) error {
	if !Launched() {
		return nil
	}
	return fmt.Errorf("%s works as one process, and an MPI launcher (%s) has started several: start it without mpirun or srun; %s", command, launchOf(os.Getenv).by, can)
}

func (l launch) several() bool { return l.by != "" && l.size != 1 }

// slurmTasks is the number of tasks of a Slurm step.
const slurmTasks = "SLURM_STEP_NUM_TASKS"

// launchOf looks for what mpirun and srun leave in the environment. Slurm's variables of a job (SLURM_NTASKS) are also those of its
// script, which is no task; those of a step are there only for tasks that srun started.
func launchOf(getenv func(string) string) launch {
	var l launch
	number := func(name string) int {
		n, err := strconv.Atoi(getenv(name))
		if err != nil || n < 1 {
			return 0
		}
		return n
	}
	for _, v := range []struct {
		name    string
		openMPI bool
	}{{"OMPI_COMM_WORLD_SIZE", true}, {"PMI_SIZE", false}, {slurmTasks, false}} {
		if n := number(v.name); n > 0 && l.by == "" {
			l = launch{v.name, n, v.openMPI}
		}
	}
	for _, name := range []string{"PMI_RANK", "PMIX_RANK", "MPI_LOCALNRANKS"} {
		if getenv(name) != "" && l.by == "" {
			l = launch{by: name}
		}
	}
	l.openMPI = l.openMPI || l.by != "" && getenv("PMIX_RANK") != ""
	return l
}
