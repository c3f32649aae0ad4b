package train

import (
	"math"

	"github.com/go-gl/mathgl/mgl64"
)

// matrices is the number of a table of matrices.
const matrices = 4096

// table holds the inverses of rotate * shear * scale, row by row, rounded to 1/entry, for
// amounts that cover their ranges evenly: a Kronecker sequence, whose steps are powers of
// 1/g, with g^4 = g + 1 (Roberts 2018, "The Unreasonable Effectiveness of Quasirandom
// Sequences"). Which one an image gets is drawn on the device. The sines of WGSL may be
// off by 2^-11, and f32 rounds places: a loss would drift with them between devices.
func (a *Augment) table() []float32 {
	const g = 1.2207440846057596
	all := make([]float32, 0, 4*matrices)
	for i := range matrices {
		amount := func(power int, most float64) float64 {
			_, part := math.Modf(0.5 + float64(i)*math.Pow(g, -float64(power)))
			return (2*part - 1) * most
		}
		f := 1 + amount(2, a.Scale)
		m := mgl64.HomogRotate2D(mgl64.DegToRad(amount(1, a.Rotate))).Mul3(mgl64.ShearX2D(amount(3, a.Shear))).Mul3(mgl64.Scale2D(f, f)).Inv()
		for _, at := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
			all = append(all, float32(math.Round(m.At(at[0], at[1])*entry)/entry))
		}
	}
	return all
}

// reach bounds how far from an image's corner a pixel's source may lie, in pixels of
// either axis.
func (a *Augment) reach(height, width int) float64 {
	return (1+a.Shear)/(1-a.Scale)*float64(height+width)/2 + float64(max(height, width)) + a.Shift
}
