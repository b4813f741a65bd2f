// Package mpi lets the processes that an MPI launcher (mpirun, srun) has started work as one.
//
// It asks little of MPI: collectives that move bytes. Sums are made here, in the order of the ranks, so that all ranks
// get the same bits from any library. The library is loaded at run time, without cgo, and only by a process that such a
// launcher has started; the build tag mpi says that a program can do so (a program that loads libraries is not static).
package mpi
