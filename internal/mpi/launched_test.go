package mpi

import "testing"

func TestLaunched(t *testing.T) {
	for _, c := range []struct {
		env     map[string]string
		several bool
		openMPI bool
	}{
		{nil, false, false},
		{map[string]string{"OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "0"}, true, true},
		{map[string]string{"OMPI_COMM_WORLD_SIZE": "1", "PMIX_RANK": "0"}, false, true}, // mpirun -np 1
		{map[string]string{"PMI_SIZE": "2", "PMI_RANK": "1"}, true, false},
		{map[string]string{"PMI_SIZE": "1", "PMI_RANK": "0", "MPI_LOCALNRANKS": "1"}, false, false},
		{map[string]string{"PMI_RANK": "1"}, true, false},
		{map[string]string{"PMIX_RANK": "1"}, true, true},
		{map[string]string{"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "3"}, true, false}, // srun
		{map[string]string{"SLURM_STEP_NUM_TASKS": "8", "PMIX_RANK": "3"}, true, true},     // srun --mpi=pmix
		{map[string]string{"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "PMIX_RANK": "0"}, false, true},
		{map[string]string{"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, false, false}, // the job's script
	} {
		l := launchOf(func(name string) string { return c.env[name] })
		if l.several() != c.several || l.openMPI != c.openMPI {
			t.Errorf("%v: %+v, want several %v, Open MPI %v", c.env, l, c.several, c.openMPI)
		}
	}
}
