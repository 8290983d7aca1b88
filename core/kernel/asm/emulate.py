"""Runs a static Go program of linux/amd64 on the CPU of Bochs, which has AVX-512.

Usage: emulate.py SYMBOLS PROGRAM [ARGUMENT]...   (SYMBOLS is what `go tool nm PROGRAM` prints)

The program runs alone on the CPU, in ring 0, with virtual memory equal to physical memory. SYSCALL leads to a HLT
instruction, where the few calls that Go's runtime needs are answered; its threads take turns whenever one waits. Bochs'
model lacks VPDPBUSD: the invalid-opcode fault computes it. CPUID, as golang.org/x/sys/cpu asks for it, tells of both.
"""
import ctypes
import mmap
import os
import struct
import sys
import time

import bochscpu
import bochscpu.cpu
import bochscpu.memory

PAGE = 4096
MASK = (1 << 64) - 1
TABLES = 0xFF0000000  # page tables, and the HLT that SYSCALL leads to
STACK = 0x7F0000000
HEAP = 0x600000000  # where mmap begins
EAGAIN, ENOENT, ENOSYS, ETIMEDOUT = -11, -2, -38, -110


class Memory:
    """Physical memory that comes into being where it is touched."""

    def __init__(self, size=2 << 30):
        self.pool = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.pool))
        self.pages = {}

    def page(self, address):
        address &= -PAGE
        if address not in self.pages:
            if address < 0x10000:
                print(f"nil pointer: {address:#x}", file=sys.stderr)
                os._exit(2)
            self.pages[address] = at = PAGE * len(self.pages)
            bochscpu.memory.page_insert(address, self.base + at)
        return self.pages[address]

    def parts(self, address, size):
        while size:
            offset = address % PAGE
            n = min(size, PAGE - offset)
            yield self.page(address) + offset, n
            address, size = address + n, size - n

    def write(self, address, data):
        done = 0
        for at, n in self.parts(address, len(data)):
            self.pool[at : at + n] = data[done : done + n]
            done += n

    def read(self, address, size):
        return b"".join(self.pool[at : at + n] for at, n in self.parts(address, size))


memory = Memory()


class Thread:
    def __init__(self, id, state):
        self.id, self.state = id, state
        self.waits = None  # address of the futex
        self.timed = False


def segment(selector, attributes, base=0):
    s = bochscpu.Segment()
    s.present, s.selector, s.base, s.limit, s.attr = True, selector, base, 0xFFFFFFFF, attributes
    return s


def data_segment(base=0):
    return segment(0x18, 0xC093, base)


def long_mode():
    """A CPU in long mode with identity paging of the first TiB."""
    for i in range(2):
        directory = TABLES + PAGE * (i + 1)
        memory.write(TABLES + 8 * i, struct.pack("<Q", directory | 3))
        for j in range(512):
            memory.write(directory + 8 * j, struct.pack("<Q", (512 * i + j) << 30 | 0x83))
    halt = TABLES + 8 * PAGE
    memory.write(halt, b"\xf4")
    s = bochscpu.State()
    bochscpu.cpu.set_long_mode(s)
    s.cr0, s.cr3, s.cr4 = 0x80040033, TABLES, 0x50620  # PAE, SSE, FSGSBASE, XSAVE
    s.xcr0 = 0xE7
    s.cs, s.tr, s.ldtr = segment(0x10, 0xA09B), segment(0x40, 0x8B), segment(0, 0x82)
    for name in ("ds", "es", "ss", "fs", "gs"):
        setattr(s, name, data_segment())
    for name in ("gdtr", "idtr"):
        g = bochscpu.GlobalSegment()
        g.base, g.limit = TABLES + 9 * PAGE, PAGE - 1
        setattr(s, name, g)
    s.rflags, s.mxcsr, s.mxcsr_mask = 2, 0x1F80, 0xFFFF
    s.lstar, s.star, s.sfmask = halt, 0x10 << 32, 0
    return s


def load(program, arguments, state):
    """Lays the program and its arguments out in memory."""
    with open(program, "rb") as f:
        image = f.read()
    state.rip, headers = struct.unpack_from("<QQ", image, 24)
    size, count = struct.unpack_from("<HH", image, 54)
    for i in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", image, headers + i * size)
        if kind == 1:
            memory.write(address, image[offset : offset + length])
    at = STACK + PAGE

    def string(text):
        nonlocal at
        begin = at
        memory.write(begin, text.encode() + b"\0")
        at += len(text) + 1
        return begin

    argv = [string(a) for a in [program] + arguments]
    env = [string(e) for e in ("GOGC=off", "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1")]
    random = string("sixteen bytes...")
    words = [len(argv), *argv, 0, *env, 0, 6, PAGE, 25, random, 0, 0]
    memory.write(STACK, struct.pack(f"<{len(words)}Q", *words))
    state.rsp = STACK


def trap_cpuid(symbols):
    """Replaces the CPUID instruction of golang.org/x/sys/cpu by HLT; returns the addresses after it."""
    found = set()
    with open(symbols) as f:
        for line in f:
            fields = line.split()
            if fields[-1] in ("golang.org/x/sys/cpu.cpuid.abi0", "golang.org/x/sys/cpu.cpuid"):
                start = int(fields[0], 16)
                at = memory.read(start, 64).find(b"\x0f\xa2")
                if at >= 0:
                    memory.write(start + at, b"\xf4\x90")
                    found.add(start + at + 1)
    if not found:
        sys.exit("no CPUID of golang.org/x/sys/cpu in " + symbols)
    return found


def cpuid(leaf, subleaf):
    return {
        (0, 0): (0x16, 0x756E6547, 0x6C65746E, 0x49656E69),
        (1, 0): (0x706E5, 0x10800, 0x7FFAFBBF, 0xBFEBFBFF),
        (7, 0): (1, 0xF0BF27EB, 1 << 11, 0),  # AVX-512 F, BW, DQ, VL and VNNI
        (7, 1): (1 << 4, 0, 0, 0),  # AVX-VNNI
    }.get((leaf, subleaf if leaf == 7 else 0), (0, 0, 0, 0))


def vpdpbusd(state):
    """Computes VPDPBUSD of registers, if the instruction before rip is one: EVEX of six bytes or VEX of five."""
    b = memory.read(state.rip - 6, 6)
    if b[0] == 0x62 and b[1] & 7 == 2 and b[2] & 0x83 == 1 and b[3] & 0xE7 == 0x40 and b[4] == 0x50 and b[5] >= 0xC0:
        p, m, lanes = ~b[1], b[5], 16
        sums = m >> 3 & 7 | p >> 4 & 8 | p & 16
        signed = m & 7 | p >> 2 & 8 | p >> 2 & 16
        unsigned = ~b[2] >> 3 & 15 | (~b[3] & 8) << 1
    elif b[1] == 0xC4 and b[2] & 31 == 2 and b[3] & 0x87 == 5 and b[4] == 0x50 and b[5] >= 0xC0:
        p, m, lanes = ~b[2], b[5], 8
        sums = m >> 3 & 7 | p >> 4 & 8
        signed = m & 7 | p >> 2 & 8
        unsigned = ~b[3] >> 3 & 15
    else:
        return False
    registers = state.zmm

    def unpack(register, form):
        return struct.unpack(form, struct.pack("<8Q", *registers[register].q))

    u, s, total = unpack(unsigned, "<64B"), unpack(signed, "<64b"), list(unpack(sums, "<16I"))
    for i in range(lanes):
        total[i] = total[i] + sum(u[j] * s[j] for j in range(4 * i, 4 * i + 4)) & 0xFFFFFFFF
    total[lanes:] = [0] * (16 - lanes)
    registers[sums].q = list(struct.unpack("<8Q", struct.pack("<16I", *total)))
    state.zmm = registers
    return True


class Machine:
    def __init__(self, symbols, program, arguments):
        self.started = time.time()
        self.heap = HEAP
        state = long_mode()
        load(program, arguments, state)
        self.cpuids = trap_cpuid(symbols)
        self.thread = Thread(1, state)
        self.threads = [self.thread]
        self.session = bochscpu.Session()
        self.session.missing_page_handler = memory.page
        self.hook = bochscpu.Hook()
        self.hook.hlt = lambda session, cpu: self.stop(None)
        self.hook.exception = lambda session, cpu, vector, error: self.stop(vector)

    def stop(self, fault):
        self.fault = fault
        self.session.stop()

    def run(self):
        while True:
            self.session.cpu.state = self.thread.state
            self.session.run([self.hook])
            state = self.thread.state = self.session.cpu.state
            if self.fault is not None:
                if self.fault != 6 or not vpdpbusd(state):
                    print(f"fault {self.fault} at {state.rip:#x}: {memory.read(state.rip - 8, 16).hex()}, cr2 {state.cr2:#x}", file=sys.stderr)
                    os._exit(2)
            elif state.rip in self.cpuids:
                state.rax, state.rbx, state.rcx, state.rdx = cpuid(state.rax & 0xFFFFFFFF, state.rcx & 0xFFFFFFFF)
                state.rip += 1
            else:
                number, state.rip, state.rflags = state.rax, state.rcx, state.r11 & 0xFFFFFFFF | 2
                state.rax = self.call(number, state) & MASK

    def call(self, number, s):
        """Answers a system call; the arguments are in rdi, rsi, rdx, r10 and r8."""
        a, b, c = s.rdi, s.rsi, s.rdx
        if number == 1:  # write
            os.write(a, memory.read(b, c))
            return c
        if number == 231:  # exit_group
            os._exit(a)  # at once: the bindings do not survive an orderly end
        if number == 9:  # mmap
            if s.r10 & 0x10:  # fixed
                return a
            at, self.heap = self.heap, self.heap + (b + 0xFFFFF & -0x100000)
            return at
        if number == 158 and a == 0x1002:  # arch_prctl, set fs
            s.fs = data_segment(b)
            return 0
        if number == 204:  # sched_getaffinity: one CPU
            memory.write(c, struct.pack("<Q", 1))
            return 8
        if number in (39, 186):  # getpid, gettid
            return self.thread.id
        if number == 56:  # clone
            return self.clone(s)
        if number in (24, 35):  # sched_yield, nanosleep
            s.rax = 0
            self.switch()
            return 0
        if number == 202:  # futex
            return self.futex(s)
        if number == 228:  # clock_gettime
            now = time.time()
            memory.write(b, struct.pack("<QQ", int(now), int(now % 1 * 1e9)))
            return 0
        if number == 318:  # getrandom
            memory.write(a, bytes(b))
            return b
        if number in (2, 4, 5, 6, 89, 257, 262):  # files: there are none
            return ENOENT
        if number in (0, 3, 10, 11, 13, 14, 28, 72, 131, 157, 302):  # read, close; memory, signals, limits
            return 0
        return ENOSYS

    def clone(self, s):
        child = bochscpu.State()
        for name in dir(s):
            if not name.startswith("_") and name != "fpst":  # which has no Python type
                setattr(child, name, getattr(s, name))
        child.rax, child.rsp = 0, s.rsi
        if s.rdi & 0x80000:  # set fs
            child.fs = data_segment(s.r8)
        self.threads.append(Thread(len(self.threads) + 1, child))
        return len(self.threads)

    def futex(self, s):
        if s.rsi & 0x7F == 0:  # wait
            if struct.unpack("<I", memory.read(s.rdi, 4))[0] != s.rdx & 0xFFFFFFFF:
                return EAGAIN
            self.thread.waits, self.thread.timed = s.rdi, s.r10 != 0
            s.rax = 0
            self.switch()
            return s.rax if self.thread.state is s else 0
        woken = [t for t in self.threads if t.waits == s.rdi][: s.rdx]
        for t in woken:
            t.waits = None
        return len(woken)

    def switch(self):
        """Turns to the next thread that can run, or to one whose wait may time out."""
        i = self.threads.index(self.thread)
        order = self.threads[i + 1 :] + self.threads[: i + 1]
        for t in order:
            if t.waits is None:
                self.thread = t
                return
        for t in order:
            if t.timed:
                t.waits, t.state.rax = None, ETIMEDOUT & MASK
                self.thread = t
                return
        sys.exit("all threads wait")


if __name__ == "__main__":
    Machine(sys.argv[1], sys.argv[2], sys.argv[3:]).run()
