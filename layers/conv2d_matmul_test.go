package layers

import (
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/tapeoption"
	"github.com/pumice-ml/pumice/layers/layertest"
)

// TestConv2DMatMul wants a convolution of one tap, as a product, within the bounds of a
// convolution, whatever stands around it.
func TestConv2DMatMul(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, s := range [][5]int{{1, 1, 1, 1, 1}, {2, 5, 6, 6, 33}, {3, 17, 1, 13, 2}, {2, 64, 7, 8, 16}, {1, 3, 9, 5, 70}} {
		p := convShape([]int{s[0], s[1], s[2], s[3]}, []int{s[4], s[1], 1, 1}, 1, 0, 1, 1)
		for _, c := range []struct {
			biased, rectified uint32
			backward          bool
		}{{0, 0, false}, {1, 0, false}, {0, 1, false}, {1, 1, false}, {0, 0, true}} {
			p.Biased, p.Rectified = c.biased, c.rectified
			w := newWholeConv(p, c.backward, even)
			got, kernels := w.run(t, dev, "matmul")
			w.judge(t, got, w.bounds)
			if slices.ContainsFunc(kernels, func(k string) bool { return k == "conv2d.forward" || k == "conv2d.backward_x" }) {
				t.Errorf("%+v: %v", p, kernels)
			}
			if size := dev.Info().Subgroup; size > 0 && p.K == 33 && slices.Contains(kernels, "matmul.forward") {
				t.Errorf("%+v: %v, want a variant of the product", p, kernels)
			}
		}
	}
}

// TestConv2DMatMulLayer fuses the convolution with its ReLU, which the sigmoid alone reads, and takes the gradients.
func TestConv2DMatMulLayer(t *testing.T) {
	layertest.Run(t, Sequential{NewConv2D(6, 7, 1), ReLU{}, Sigmoid{}}, forced("matmul", 2, 6, 5, 4))
}

// TestConv2DMatMulDeclines wants the product taken for what it can do and for nothing
// else, and on GPUs.
func TestConv2DMatMulDeclines(t *testing.T) {
	info := compute.Info{}
	info.Limits.WorkgroupsPerDimension = 65_535
	good := convShape([]int{2, 3, 4, 5}, []int{7, 3, 1, 1}, 1, 0, 2, 1)
	if !good.pointwise(info) {
		t.Errorf("%+v is no product", good)
	}
	for name, change := range map[string]func(p *convParams){
		"rows of taps": func(p *convParams) { p.R = 2 }, "columns of taps": func(p *convParams) { p.S = 2 }, "stride down": func(p *convParams) { p.StrideH = 2 },
		"stride across": func(p *convParams) { p.StrideW = 2 }, "padding down": func(p *convParams) { p.PadH = 1 }, "padding across": func(p *convParams) { p.PadW = 1 },
		"groups": func(p *convParams) { p.Groups = 3 }, "no image": func(p *convParams) { p.N = 0 }, "more images than a grid": func(p *convParams) { p.N = 65_536 },
		"rows left out": func(p *convParams) { p.H = 5 }, "columns left out": func(p *convParams) { p.W = 6 },
	} {
		p := good
		if change(&p); p.pointwise(info) {
			t.Errorf("%s: %+v is a product", name, p)
		}
	}
}

// forced is an input of a layer for which a variant is taken.
func forced(variant string, dims ...int) layertest.Input {
	return layertest.Input{Shape: dims, Switches: tapeoption.Switches{Variant: variant}}
}
