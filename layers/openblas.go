//go:build openblas

package layers

import (
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/netlib/blas/netlib"
)

// With the build tag openblas the definitions' matrix products, and so the reference
// device, call the BLAS of the system:
//
//	CGO_LDFLAGS=-lopenblas go run -tags openblas ./cmd/demo --device reference
func init() { blas64.Use(netlib.Implementation{}) }
