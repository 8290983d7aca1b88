package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set: how many f32 lanes a register has.
type isa struct {
	name  string
	lanes int
}

// chunk is sixteen f32 or int32 lanes: one register of AVX-512, two of AVX2.
type chunk []reg.VecVirtual

const chunkLanes = 16

func (m isa) register() reg.VecVirtual {
	if m.lanes == chunkLanes {
		return ZMM()
	}
	return YMM()
}

func (m isa) bytes() int { return 4 * m.lanes }

func (m isa) chunk() chunk {
	var c chunk
	for range chunkLanes / m.lanes {
		c = append(c, m.register())
	}
	return c
}

// zero returns a chunk of zeros.
func (m isa) zero() chunk {
	c := m.chunk()
	for _, r := range c {
		clearRegister(r)
	}
	return c
}

func clearRegister(r reg.VecVirtual) {
	if r.Size() == 64 {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
}

// constants are those in read-only memory, by their bits.
var constants = map[uint32]Mem{}

func memory(v uint32) Mem {
	c, ok := constants[v]
	if !ok {
		c = ConstData(fmt.Sprintf("c%08x", v), U32(v))
		constants[v] = c
	}
	return c
}

// constant broadcasts the 32 bits of v to one register, shared by all parts of a chunk.
func (m isa) constant(v uint32) reg.VecVirtual {
	r := m.register()
	VBROADCASTSS(memory(v), r)
	return r
}

// value is a constant that stays in a register where there are enough of them, and is read again at each use otherwise.
type value struct {
	isa
	bits uint32
	held reg.VecVirtual
}

func (m isa) value(bits uint32) value {
	v := value{isa: m, bits: bits}
	if m.lanes == chunkLanes {
		v.held = m.constant(bits)
	}
	return v
}

func (v value) register() reg.VecVirtual {
	if v.held != nil {
		return v.held
	}
	return v.constant(v.bits)
}

// chunk returns a chunk of the constant, to be overwritten.
func (v value) chunk() chunk {
	c := v.isa.chunk()
	for _, r := range c {
		if v.held != nil {
			VMOVAPS(v.held, r)
		} else {
			VBROADCASTSS(memory(v.bits), r)
		}
	}
	return c
}

// load reads the sixteen f32 of array p from index i on, and loadAt those of the first or second chunk from there.
func (m isa) load(p, i reg.GPVirtual) chunk { return m.loadAt(p, i, 0) }

func (m isa) loadAt(p, i reg.GPVirtual, half int) chunk {
	c := m.chunk()
	for j, r := range c {
		VMOVUPS(m.partAt(p, i, half, j), r)
	}
	return c
}

func (m isa) store(c chunk, p, i reg.GPVirtual) { m.storeAt(c, p, i, 0) }

func (m isa) storeAt(c chunk, p, i reg.GPVirtual, half int) {
	for j, r := range c {
		VMOVUPS(r, m.partAt(p, i, half, j))
	}
}

// part is the place of register j of a chunk.
func (m isa) part(p, i reg.GPVirtual, j int) Mem { return m.partAt(p, i, 0, j) }

func (m isa) partAt(p, i reg.GPVirtual, half, j int) Mem {
	return Mem{Base: p, Index: i, Scale: 4, Disp: half*4*chunkLanes + j*m.bytes()}
}

// apply emits one instruction a register: op(a, b, dst) in Go's operand order.
func apply(op func(...Op), a any, b, dst chunk) {
	for j := range dst {
		op(operandOf(a, j), b[j], dst[j])
	}
}

func operandOf(a any, j int) Op {
	switch a := a.(type) {
	case chunk:
		return a[j]
	case reg.VecVirtual:
		return a
	}
	panic(fmt.Sprintf("operand %T", a))
}

// sum adds the sixteen lanes of c, halving them until one is left, and returns it in lane 0.
func (m isa) sum(c chunk) reg.VecVirtual { return m.reduce(c, VADDPS) }

// max is the like for the greatest lane.
func (m isa) max(c chunk) reg.VecVirtual { return m.reduce(c, VMAXPS) }

func (m isa) reduce(c chunk, op func(...Op)) reg.VecVirtual {
	y := YMM()
	if m.lanes == chunkLanes {
		VEXTRACTF64X4(Imm(1), c[0], y)
		op(c[0].AsY(), y, y)
	} else {
		op(c[0], c[1], y)
	}
	x, t := y.AsX(), XMM()
	VEXTRACTF128(Imm(1), y, t)
	op(t, x, x)
	VPERMILPS(Imm(0x0e), x, t)
	op(t, x, x)
	VPERMILPS(Imm(0x01), x, t)
	op(t, x, x)
	r := XMM()
	VMOVAPS(x, r)
	return r
}

// broadcast copies lane 0 of x to a whole register.
func (m isa) broadcast(x reg.VecVirtual) reg.VecVirtual {
	r := m.register()
	VBROADCASTSS(x, r)
	return r
}

var labels int

// eachChunk emits a loop over n values, sixteen at a time; i counts values.
func eachChunk(n reg.GPVirtual, body func(i reg.GPVirtual)) {
	labels++
	loop, end := fmt.Sprintf("loop%d", labels), fmt.Sprintf("end%d", labels)
	i := GP64()
	XORQ(i, i)
	CMPQ(i, n)
	JGE(LabelRef(end))
	Label(loop)
	body(i)
	ADDQ(Imm(chunkLanes), i)
	CMPQ(i, n)
	JLT(LabelRef(loop))
	Label(end)
}

// eachPair emits a loop over n values by two chunks, halves 0 and 1, for sums that would else wait for each other; a chunk that
// is left over is a half 0.
func eachPair(n reg.GPVirtual, body func(i reg.GPVirtual, half int)) {
	labels++
	loop, rest, end := fmt.Sprintf("pair%d", labels), fmt.Sprintf("rest%d", labels), fmt.Sprintf("end%d", labels)
	i, next := GP64(), GP64()
	XORQ(i, i)
	Label(loop)
	LEAQ(Mem{Base: i, Disp: 2 * chunkLanes}, next)
	CMPQ(next, n)
	JGT(LabelRef(rest))
	body(i, 0)
	body(i, 1)
	MOVQ(next, i)
	JMP(LabelRef(loop))
	Label(rest)
	CMPQ(i, n)
	JGE(LabelRef(end))
	body(i, 0)
	Label(end)
}

// function starts a kernel of this instruction set.
func (m isa) function(name, signature, doc string) {
	labels = 0
	TEXT(name+m.name, NOSPLIT, "func"+signature)
	Doc(name + m.name + " " + doc)
	Pragma("noescape")
}

func param(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// address is the place of a parameter, or of the result where name is empty. avo's own Load and Store would use instructions of
// SSE, which are slow beside AVX.
func address(name string) Mem {
	c := ReturnIndex(0)
	if name != "" {
		c = Param(name)
	}
	a, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return a.Addr
}

func (m isa) paramF32(name string) reg.VecVirtual {
	r := m.register()
	VBROADCASTSS(address(name), r)
	return r
}

// result returns lane 0 of x.
func result(x reg.VecVirtual) { VMOVSS(x, address("")) }

func leave() {
	VZEROUPPER()
	RET()
}
