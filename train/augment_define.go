package train

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

type augmentParams struct {
	Batch, Channels, Height, Width, Stream, Count, Warped uint32
	Shift, FlipX, FlipY, Crop, Cutout                     uint32
	Noise                                                 float32
}

// place is the unit of places in an image, as parts of a pixel, and entry that of the
// entries of a matrix, which are multiplied by half pixels.
const (
	place = 1 << 17
	entry = 1 << 16
)

// noiseDeviation is the standard deviation of the sum of eight numbers that are each
// from 0 to 65535 with the same probability, and noiseMean its mean.
var noiseDeviation = math.Sqrt(8 * (65536*65536 - 1) / 12.0)

const noiseMean = 8 * 65535 / 2

// chance is what one image is changed by: shifts are of 1/place pixel.
type chance struct {
	matrix                   int
	shiftX, shiftY           int
	flipX, flipY             bool
	cropX, cropY, cutX, cutY int
}

// draw is the chance of an image, of three draws of four numbers.
func (p augmentParams) draw(clock []float64, image int) chance {
	random := func(k int) [4]uint32 {
		return compute.RandomBits(uint32(clock[1]), p.Stream, uint32(clock[0]), uint32(3*image+k))
	}
	either := func(bits, most uint32) int { return int(bits%(2*most+1)) - int(most) }
	a, b, c := random(0), random(1), random(2)
	return chance{
		matrix: int(a[0] % p.Count), shiftX: either(b[0], p.Shift), shiftY: either(b[1], p.Shift),
		flipX: a[3]>>8 < p.FlipX, flipY: c[2]>>8 < p.FlipY,
		cropX: either(b[2], p.Crop), cropY: either(b[3], p.Crop), cutX: int(c[0] % p.Width), cutY: int(c[1] % p.Height),
	}
}

// source is where a pixel of the new image lies in the old one, of 1/place pixel.
func (p augmentParams) source(c chance, table []float64, column, row int) (x, y int) {
	x, y = 2*column-int(p.Width-1), 2*row-int(p.Height-1)
	m := func(i int) int { return int(table[4*c.matrix+i] * entry) }
	return m(0)*x + m(1)*y + int(p.Width-1)*place/2 - c.shiftX, m(2)*x + m(3)*y + int(p.Height-1)*place/2 - c.shiftY
}

// cuts reports whether a pixel is in the square of zeros.
func (p augmentParams) cuts(c chance, column, row int) bool {
	within := func(at, middle int) bool {
		first := middle - int(p.Cutout)/2
		return at >= first && at < first+int(p.Cutout)
	}
	return within(column, c.cutX) && within(row, c.cutY)
}

// pixel is that of plane, one channel of an image, after the flip and the crop.
func (p augmentParams) pixel(plane []float64, c chance, column, row int) float64 {
	column, row = column+c.cropX, row+c.cropY
	if column < 0 || row < 0 || column >= int(p.Width) || row >= int(p.Height) {
		return 0
	}
	if c.flipX {
		column = int(p.Width) - 1 - column
	}
	if c.flipY {
		row = int(p.Height) - 1 - row
	}
	return plane[row*int(p.Width)+column]
}

// noise is what is added to an element.
func (p augmentParams) noise(clock []float64, element int) float64 {
	sum := 0
	for _, v := range compute.RandomBits(uint32(clock[1]), p.Stream, uint32(clock[0]), 3*p.Batch+uint32(element)) {
		sum += int(v&65535) + int(v>>16)
	}
	return float64(sum-noiseMean) * float64(p.Noise)
}

// sample is the pixel of a plane, or what lies between four of them.
func (p augmentParams) sample(plane []float64, c chance, x, y int) float64 {
	left, top := x>>17, y>>17
	if p.Warped == 0 {
		return p.pixel(plane, c, left, top)
	}
	fx, fy := float64(x-left*place)/place, float64(y-top*place)/place
	return (p.pixel(plane, c, left, top)*(1-fx)+p.pixel(plane, c, left+1, top)*fx)*(1-fy) +
		(p.pixel(plane, c, left, top+1)*(1-fx)+p.pixel(plane, c, left+1, top+1)*fx)*fy
}

// each calls visit for each element of y: with what is sampled of x and the noise.
func (p augmentParams) each(clock, table, x []float64, visit func(at int, value, noise float64)) {
	area := int(p.Height * p.Width)
	for image := range int(p.Batch) {
		c := p.draw(clock, image)
		for i := range area {
			row, column := i/int(p.Width), i%int(p.Width)
			sx, sy := column*place, row*place
			if p.Warped != 0 {
				sx, sy = p.source(c, table, column, row)
			}
			for channel := range int(p.Channels) {
				first := (image*int(p.Channels) + channel) * area
				value, noise := 0.0, 0.0
				if !p.cuts(c, column, row) {
					value = p.sample(x[first:first+area], c, sx, sy)
				}
				if p.Noise != 0 {
					noise = p.noise(clock, first+i)
				}
				visit(first+i, value, noise)
			}
		}
	}
}

// forward samples x where the matrices lead, between pixels by bilinear interpolation.
var augmentForward = compute.NewKernel("augment.forward", func(p augmentParams, b [][]float64) {
	y := b[3]
	p.each(b[0], b[1], b[2], func(at int, value, noise float64) { y[at] = value + noise })
}, compute.Func(augmentBound))

// augmentBound is exact where whole pixels move. Places are whole numbers, and so are the
// weights of the interpolation, of 1/2^17: each pixel passes two products and two sums,
// and the noise one product. The sum of both has one rounding more.
func augmentBound(r *compute.Reference32) [][]float64 {
	p := r.Params.(augmentParams)
	bounds := compute.Exact.Bound(r)
	magnitudes := make([]float64, len(r.In[2]))
	for i, v := range r.In[2] {
		magnitudes[i] = math.Abs(v)
	}
	p.each(r.In[0], r.In[1], magnitudes, func(at int, value, noise float64) {
		if p.Warped != 0 {
			bounds[3][at] += compute.Gamma(4)*value + 8*smallest
		}
		if p.Noise != 0 {
			bounds[3][at] += compute.Gamma(2)*(value*(1+compute.Gamma(4))+math.Abs(noise)) + 4*smallest
		}
	})
	return bounds
}
