package data

import (
	"crypto/sha256"
	"fmt"
	"math"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// TestDigitsBytes pins the default sets: they are the same on every platform,
// and a change to them is a change to what users train on.
func TestDigitsBytes(t *testing.T) {
	train, test := Digits(DigitsOptions{})
	for _, c := range []struct {
		set  *Set
		n    int
		want string
	}{
		{train, 20000, "300d160fb8da5559374f373db393c56e088b5996554f21e41c91665c1d713470"},
		{test, 4000, "8fccf1139f52ed96457f1786bb8b30d82aca32cf1d1ffed88b383de75e8073e6"},
	} {
		if c.set.Len() != c.n {
			t.Errorf("%s: %d images, want %d", c.set.Name, c.set.Len(), c.n)
		}
		sum := sha256.New()
		sum.Write(c.set.Pixels)
		sum.Write(c.set.Labels)
		if got := fmt.Sprintf("%x", sum.Sum(nil)); got != c.want {
			t.Errorf("%s: SHA-256 %s, want %s", c.set.Name, got, c.want)
		}
	}
}

func TestDigitsOneProcessor(t *testing.T) {
	many, _ := Digits(DigitsOptions{Seed: 9, Train: 305, Test: 1})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, _ := Digits(DigitsOptions{Seed: 9, Train: 305, Test: 1})
	for i := range many.Len() {
		if many.Labels[i] != one.Labels[i] || string(many.Image(i)) != string(one.Image(i)) {
			t.Fatalf("image %d differs with one processor", i)
		}
	}
}

// TestAffineExact repeats the composition in fixed point: every product and
// sum of the matrices must have been exact.
func TestAffineExact(t *testing.T) {
	for i := range uint64(2000) {
		r := newRandom(1, 0, i)
		got := affine(&r)
		r = newRandom(1, 0, i)
		draw := func(limit int) int64 { return int64(r.between(-limit, limit)) }
		k := draw(tilt)
		// t = k/1024: cos = (2^20 - k^2) / (2^20 + k^2), in 1/1024, truncated.
		cos, sin := ((1<<20)-k*k)*1024/((1<<20)+k*k), 2*k*1024*1024/((1<<20)+k*k)
		size := 1024 + draw(zoom)
		sx, sy := size+draw(stretch), size+draw(stretch)
		h := draw(slant)
		dx, dy := draw(move), draw(move)
		// scale * shear * rotate in 1/2^30, the shift's column in 1/2^40.
		a, b := sx*(1024*cos+h*sin), sx*(h*cos-1024*sin)
		c, d := sy*1024*sin, sy*1024*cos
		want := [6]int64{a / (1 << 14), b / (1 << 14), (a*dx + b*dy) / (1 << 24) * position,
			c / (1 << 14), d / (1 << 14), (c*dx + d*dy) / (1 << 24) * position}
		if got != want {
			t.Fatalf("warp %d: %v, want %v", i, got, want)
		}
	}
}

func TestFieldWeights(t *testing.T) {
	weights := weights()
	for k, w := range weights {
		if sum := w[0] + w[1] + w[2] + w[3]; sum != weightSum {
			t.Errorf("weights at %d add up to %d, want %d", k, sum, weightSum)
		}
		if mirror := weights[knot-1-k]; w[0] != mirror[3] || w[1] != mirror[2] {
			t.Errorf("weights at %d are %v, not the mirror of %v", k, w, mirror)
		}
	}
}

func TestDigitsPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for a negative count")
		}
	}()
	Digits(DigitsOptions{Train: -1})
}

// TestDigitsLinear trains multinomial logistic regression on the whole default
// set, by SGD with momentum. It must stay under 93%; the floor shows that it is
// trained well enough to count (fully converged by L-BFGS it reaches 89.0%).
func TestDigitsLinear(t *testing.T) {
	train, test := Digits(DigitsOptions{})
	x, held := floats(train.Pixels), floats(test.Pixels)
	const batch, inputs, classes, epochs = 100, side * side, 10, 12
	w := matrix(make([]float32, classes*inputs), inputs)
	velocity := matrix(make([]float32, classes*inputs), inputs)
	bias := make([]float32, classes)
	logits := matrix(make([]float32, batch*classes), classes)
	step := float32(0.05)
	for range epochs {
		for first := 0; first < train.Len(); first += batch {
			in := matrix(x[first*inputs:(first+batch)*inputs], inputs)
			blas32.Gemm(blas.NoTrans, blas.Trans, 1, in, w, 0, logits)
			for i := range batch {
				row := logits.Data[i*classes : (i+1)*classes]
				softmax(row, bias)
				row[train.Labels[first+i]]--
				for j, d := range row {
					bias[j] -= step / batch * d
				}
			}
			blas32.Gemm(blas.Trans, blas.NoTrans, -step/batch, logits, in, 0.9, velocity)
			for k, v := range velocity.Data {
				w.Data[k] += v
			}
		}
		step *= 0.85
	}
	right := 0
	for first := 0; first < test.Len(); first += batch {
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, matrix(held[first*inputs:(first+batch)*inputs], inputs), w, 0, logits)
		for i := range batch {
			row := logits.Data[i*classes : (i+1)*classes]
			softmax(row, bias)
			best := 0
			for j := range row {
				if row[j] > row[best] {
					best = j
				}
			}
			if best == int(test.Labels[first+i]) {
				right++
			}
		}
	}
	accuracy := float64(right) / float64(test.Len())
	t.Logf("linear classifier: %.2f%%", 100*accuracy)
	if accuracy < 0.86 || accuracy >= 0.93 {
		t.Errorf("a linear classifier reaches %.4f, want 0.86 to 0.93", accuracy)
	}
}

func matrix(data []float32, columns int) blas32.General {
	return blas32.General{Rows: len(data) / columns, Cols: columns, Stride: columns, Data: data}
}

func floats(pixels []byte) []float32 {
	x := make([]float32, len(pixels))
	for i, p := range pixels {
		x[i] = float32(p) / 255
	}
	return x
}

// softmax turns a row of logits, after adding bias, into probabilities.
func softmax(row, bias []float32) {
	top := float32(math.Inf(-1))
	for j := range row {
		row[j] += bias[j]
		top = max(top, row[j])
	}
	var sum float32
	for j := range row {
		row[j] = float32(math.Exp(float64(row[j] - top)))
		sum += row[j]
	}
	for j := range row {
		row[j] /= sum
	}
}
