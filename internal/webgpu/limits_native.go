//go:build cgo && !js && !cogentcore

package webgpu

import "github.com/oliverbestmann/webgpu/wgpu"

func fromNative(l wgpu.Limits) Limits {
	return Limits{
		StorageBuffersPerStage:  l.MaxStorageBuffersPerShaderStage,
		StorageBindingSize:      l.MaxStorageBufferBindingSize,
		BufferSize:              l.MaxBufferSize,
		UniformBindingSize:      l.MaxUniformBufferBindingSize,
		WorkgroupStorage:        l.MaxComputeWorkgroupStorageSize,
		InvocationsPerWorkgroup: l.MaxComputeInvocationsPerWorkgroup,
		WorkgroupSizeX:          l.MaxComputeWorkgroupSizeX,
		WorkgroupSizeY:          l.MaxComputeWorkgroupSizeY,
		WorkgroupSizeZ:          l.MaxComputeWorkgroupSizeZ,
		WorkgroupsPerDimension:  l.MaxComputeWorkgroupsPerDimension,
		StorageOffsetAlignment:  l.MinStorageBufferOffsetAlignment,
	}
}

// toNative starts from the default limits, so that nothing more is asked for
// than l says, and leaves the push constants at 0, which the binding reads from
// memory nobody wrote.
func toNative(l Limits) wgpu.Limits {
	n := wgpu.DefaultLimits()
	n.MaxStorageBuffersPerShaderStage = l.StorageBuffersPerStage
	n.MaxStorageBufferBindingSize = l.StorageBindingSize
	n.MaxBufferSize = l.BufferSize
	n.MaxUniformBufferBindingSize = l.UniformBindingSize
	n.MaxComputeWorkgroupStorageSize = l.WorkgroupStorage
	n.MaxComputeInvocationsPerWorkgroup = l.InvocationsPerWorkgroup
	n.MaxComputeWorkgroupSizeX = l.WorkgroupSizeX
	n.MaxComputeWorkgroupSizeY = l.WorkgroupSizeY
	n.MaxComputeWorkgroupSizeZ = l.WorkgroupSizeZ
	n.MaxComputeWorkgroupsPerDimension = l.WorkgroupsPerDimension
	n.MaxPushConstantSize = 0
	return n
}
