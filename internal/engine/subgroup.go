package engine

import (
	"context"
	_ "embed"

	"github.com/pumice-ml/pumice/internal/webgpu"
)

//go:embed subgroup.wgsl
var subgroupText string

// subgroup measures how many invocations a subgroup has: 0 where the device cannot say,
// or where the invocations of a workgroup are not divided in their order.
func subgroup(ctx context.Context, dev *webgpu.Device) int {
	const n = 64
	p, err := dev.NewPipeline("subgroup", subgroupText, "measure", []webgpu.Slot{{Binding: 0, Access: webgpu.ReadWrite}})
	if err != nil {
		return 0
	}
	defer p.Release()
	sizes, err := dev.NewBuffer("subgroup", 4*n, webgpu.Storage)
	if err != nil {
		return 0
	}
	defer sizes.Release()
	stage, err := dev.NewBuffer("subgroup read-back", 4*n, webgpu.Staging)
	if err != nil {
		return 0
	}
	defer stage.Release()
	group, err := dev.NewBindGroup("subgroup", p, webgpu.Whole(sizes))
	if err != nil {
		return 0
	}
	defer group.Release()
	plan, err := dev.NewPlan([]webgpu.Command{{Pipeline: p, Bindings: group, Groups: [3]uint32{1, 1, 1}}, {Src: sizes, Dst: stage, Size: 4 * n}})
	if err != nil {
		return 0
	}
	defer plan.Release()
	found := make([]uint32, n)
	if dev.Submit(plan, 0, 2) != nil || dev.Read(ctx, stage, asBytes(found)) != nil {
		return 0
	}
	for _, size := range found {
		if size != found[0] {
			return 0
		}
	}
	return int(found[0])
}
