package train

// Confusion counts rows by class: row i, column j has those of class i that were taken for
// class j.
type Confusion [][]int

// counts are the hits of each class, the rows that are of it, and those taken for it.
func (c Confusion) counts() (hits, truth, taken []int) {
	hits, truth, taken = make([]int, len(c)), make([]int, len(c)), make([]int, len(c))
	for i, row := range c {
		hits[i] = row[i]
		for j, n := range row {
			truth[i] += n
			taken[j] += n
		}
	}
	return hits, truth, taken
}

// share is a/b, or 0 where b is.
func share(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Precision is, for each class, the part of the rows taken for it that are of it; 0 where
// none was.
func (c Confusion) Precision() []float64 {
	hits, _, taken := c.counts()
	out := make([]float64, len(c))
	for i := range out {
		out[i] = share(hits[i], taken[i])
	}
	return out
}

// Recall is, for each class, the part of its rows that were taken for it; 0 where it has
// none.
func (c Confusion) Recall() []float64 {
	hits, truth, _ := c.counts()
	out := make([]float64, len(c))
	for i := range out {
		out[i] = share(hits[i], truth[i])
	}
	return out
}

// F1 is, for each class, the harmonic mean of precision and recall: 2 hits / (rows of the
// class + rows taken for it), 0 where there are none of both.
func (c Confusion) F1() []float64 {
	hits, truth, taken := c.counts()
	out := make([]float64, len(c))
	for i := range out {
		out[i] = share(2*hits[i], truth[i]+taken[i])
	}
	return out
}

// macro is the mean of a measure over the classes that occur, as truth or as prediction.
func (c Confusion) macro(of []float64) float64 {
	_, truth, taken := c.counts()
	sum, n := 0.0, 0
	for i, v := range of {
		if truth[i]+taken[i] > 0 {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(max(n, 1))
}
