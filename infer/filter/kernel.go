package filter

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// MaxSize is the height and width of the largest kernel.
const MaxSize = 63

// Kernel is a square matrix of weights that slides over an image.
type Kernel struct {
	Name    string
	Size    int       // height and width: 1, 3, 5 to MaxSize
	Weights []float32 // (Size, Size), row-major, as they lie over the image
}

// Kernels that every course begins with.
var (
	// Edge tells how far a pixel is from the mean of its eight neighbours, times 8: a
	// Laplace operator.
	Edge = Kernel{"edge", 3, []float32{-1, -1, -1, -1, 8, -1, -1, -1, -1}}
	// Blur is the binomial filter of 5x5, nearly a Gaussian with a standard deviation
	// of 1 pixel. Its weights add up to 1.
	Blur = Kernel{"blur", 5, binomial()}
	// Sharpen adds to a pixel how far it is from its four neighbours. Its weights add
	// up to 1.
	Sharpen = Kernel{"sharpen", 3, []float32{0, -1, 0, -1, 5, -1, 0, -1, 0}}
)

// binomial is the product of (1 4 6 4 1)/16 with itself.
func binomial() (w []float32) {
	row := [5]float32{1, 4, 6, 4, 1}
	for _, a := range row {
		for _, b := range row {
			w = append(w, a*b/256)
		}
	}
	return w
}

// ByName returns edge, blur or sharpen.
func ByName(name string) (k Kernel, ok bool) {
	for _, k := range []Kernel{Edge, Blur, Sharpen} {
		if k.Name == name {
			return k, true
		}
	}
	return Kernel{}, false
}

// Check returns an error unless the kernel is a square of odd size, 1 to MaxSize, of
// finite numbers.
func (k Kernel) Check() error {
	if k.Size < 1 || k.Size > MaxSize || k.Size%2 == 0 || len(k.Weights) != k.Size*k.Size {
		return fmt.Errorf("filter: kernel %s: %d weights for a size of %d, want a square of odd size, 1 to %d", k.Name, len(k.Weights), k.Size, MaxSize)
	}
	for i, w := range k.Weights {
		if v := float64(w); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("filter: kernel %s: row %d, column %d is %v, want a finite number", k.Name, i/k.Size+1, i%k.Size+1, w)
		}
	}
	return nil
}

// Sum is what the weights add up to: what the kernel makes of an even area of
// brightness 1.
func (k Kernel) Sum() float64 {
	sum := 0.0
	for _, w := range k.Weights {
		sum += float64(w)
	}
	return sum
}

// Differences reports whether the weights add up to 0, but for what each of them was
// rounded by.
func (k Kernel) Differences() bool {
	size := 0.0
	for _, w := range k.Weights {
		size += math.Abs(float64(w))
	}
	return math.Abs(k.Sum()) <= 0x1p-24*size
}

// Parse reads a kernel from text: a line for each row, numbers parted by spaces, tabs
// or commas, each a decimal or a fraction such as 1/9. Empty lines and what follows #
// do not count. Name stands for the file in errors, which tell the line.
func Parse(name string, r io.Reader) (Kernel, error) {
	k := Kernel{Name: name}
	fail := func(line int, format string, args ...any) (Kernel, error) {
		return Kernel{}, fmt.Errorf("filter: %s: line %d: %s", name, line, fmt.Sprintf(format, args...))
	}
	lines := bufio.NewScanner(r)
	row := 0
	for line := 1; lines.Scan(); line++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == '\r' })
		if len(fields) == 0 {
			continue
		}
		if row == 0 {
			k.Size = len(fields)
			if k.Size > MaxSize || k.Size%2 == 0 {
				return fail(line, "%d numbers, want an odd number of them, 1 to %d", k.Size, MaxSize)
			}
		}
		if row++; row > k.Size {
			return fail(line, "row %d, want %d rows as there are columns", row, k.Size)
		}
		if len(fields) != k.Size {
			return fail(line, "%d numbers, want %d as in the first row", len(fields), k.Size)
		}
		for _, f := range fields {
			w, err := number(f)
			if err != nil {
				return fail(line, "%q, want a number such as -0.5 or 1/9", f)
			}
			k.Weights = append(k.Weights, w)
		}
	}
	if err := lines.Err(); err != nil {
		return Kernel{}, fmt.Errorf("filter: %s: %w", name, err)
	}
	if row == 0 {
		return Kernel{}, fmt.Errorf("filter: %s holds no numbers, want a square matrix", name)
	}
	if row != k.Size {
		return Kernel{}, fmt.Errorf("filter: %s: %d rows of %d numbers, want a square matrix", name, row, k.Size)
	}
	return k, nil
}

// number reads a decimal or a fraction, which float32 can hold.
func number(text string) (float32, error) {
	above, below, fraction := strings.Cut(text, "/")
	v, err := strconv.ParseFloat(above, 32)
	if err == nil && fraction {
		var d float64
		d, err = strconv.ParseFloat(below, 32)
		v /= d
	}
	if err == nil && !(math.Abs(v) <= math.MaxFloat32) {
		err = strconv.ErrRange
	}
	return float32(v), err
}
