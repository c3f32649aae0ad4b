package wgsl

import "strings"

// subgroupFunctions are the built-in functions of subgroups and quads (WGSL, sections 17.12
// and 17.13).
var subgroupFunctions = " subgroupAdd subgroupExclusiveAdd subgroupInclusiveAdd subgroupAll subgroupAnd subgroupAny subgroupBallot subgroupBroadcast subgroupBroadcastFirst subgroupElect subgroupMax subgroupMin subgroupMul subgroupExclusiveMul subgroupInclusiveMul subgroupOr subgroupShuffle subgroupShuffleDown subgroupShuffleUp subgroupShuffleXor subgroupXor subgroupBarrier quadBroadcast quadSwapDiagonal quadSwapX quadSwapY "

// synchronizing are other built-in functions by which invocations learn of each other, or
// wait for each other.
var synchronizing = " workgroupBarrier storageBarrier textureBarrier workgroupUniformLoad atomicLoad atomicStore atomicAdd atomicSub atomicMax atomicMin atomicAnd atomicOr atomicXor atomicExchange atomicCompareExchangeWeak "

// Declares reports whether a module declares a name, which then means nothing built in.
func (m *Module) Declares(name string) bool {
	for _, d := range m.Decls {
		if d.declared() == name {
			return true
		}
	}
	return false
}

// Subgroup reports whether a name that a module uses is a built-in function of subgroups.
func Subgroup(m *Module, name string) bool {
	return strings.Contains(subgroupFunctions, " "+name+" ") && !m.Declares(name)
}

// Collective reports whether a name that a module uses is a built-in function by which
// invocations meet.
func Collective(m *Module, name string) bool {
	return Subgroup(m, name) || strings.Contains(synchronizing, " "+name+" ") && !m.Declares(name)
}

// Barrier reports whether a name that a module uses is a built-in function at which
// invocations wait for each other.
func Barrier(m *Module, name string) bool {
	return (name == "workgroupBarrier" || name == "storageBarrier" || name == "textureBarrier" || name == "workgroupUniformLoad" || name == "subgroupBarrier") && !m.Declares(name)
}
