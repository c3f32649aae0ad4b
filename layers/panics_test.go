package layers

import "testing"

// panics fails the test unless f panics with the text.
func panics(t *testing.T, text string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != text {
			t.Errorf("got panic %v, want %v", got, text)
		}
	}()
	f()
}
