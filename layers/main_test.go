package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/compute/devicetest"
)

func TestMain(m *testing.M) { devicetest.Main(m, "pumice/layers") }
