//go:build openblas

package bench

import (
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/netlib/blas/netlib"
)

// With the build tag openblas gonum's rows are those of the system's BLAS:
//
//	CGO_LDFLAGS=-lopenblas go run -tags openblas ./bench/compare --peer gonum
func init() {
	blas32.Use(netlib.Implementation{})
	blasName = "OpenBLAS"
}
