// Package housetest holds tests of the repository as a whole: which package may
// import which.
package housetest
