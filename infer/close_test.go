package infer

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/pumice-ml/pumice/compute"
)

// TestCloseWaits wants Close to return after a call in progress, not before.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dev := compute.Reference()
		defer dev.Close()
		s, err := Open(dev, model(), weights(t), 1, 6, 6)
		if err != nil {
			t.Fatal(err)
		}
		held := <-s.free // so that the call waits for it,
		s.made = lanes   // and makes no other
		predicted, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := s.Predict(context.Background(), image(1))
			predicted <- err
		}()
		synctest.Wait()
		go func() { closed <- s.Close() }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Error("Close returned while a call was in progress")
			closed <- err
		default:
		}
		s.free <- held
		if err := <-predicted; err != nil {
			t.Errorf("the call in progress: %v", err)
		}
		synctest.Wait()
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("Close waits although no call is in progress")
		}
	})
}
