// Where the chip begins, and where it goes when something happens. The boot ROM
// has put code and data where they belong and jumps to start. The ABI is call0:
// a0 is the way back, a1 the stack, a2 to a7 the arguments; a12 to a15 survive a call.

// The vectors lie at these distances from VECBASE (core-isa.h of the lx106).
	.section .vectors, "ax"
	.global vectors
	.align 256
vectors:
	.org 0x10  // debug, level 2
	j fault_debug
	.org 0x20  // NMI, level 3
	j fault_nmi
	.org 0x30  // kernel: an exception while PS.UM is 0, only in start
	j fault
	.org 0x50  // user: interrupts and exceptions
	wsr.excsave1 a0
	rsr.exccause a0
	beqi a0, 4, interrupted  // 4: an interrupt of level 1
	j fault
	.org 0x70  // an exception in interrupted
	j fault_double

// interrupted saves what C++ may change and calls kitInterrupt. PS.EXCM stays set,
// so nothing comes in between. a0 is in EXCSAVE1.
	.align 4
interrupted:
	addi a1, a1, -64
	s32i a2, a1, 0
	s32i a3, a1, 4
	s32i a4, a1, 8
	s32i a5, a1, 12
	s32i a6, a1, 16
	s32i a7, a1, 20
	s32i a8, a1, 24
	s32i a9, a1, 28
	s32i a10, a1, 32
	s32i a11, a1, 36
	rsr.sar a0
	s32i a0, a1, 40
	call0 kitInterrupt
	l32i a0, a1, 40
	wsr.sar a0
	l32i a2, a1, 0
	l32i a3, a1, 4
	l32i a4, a1, 8
	l32i a5, a1, 12
	l32i a6, a1, 16
	l32i a7, a1, 20
	l32i a8, a1, 24
	l32i a9, a1, 28
	l32i a10, a1, 32
	l32i a11, a1, 36
	addi a1, a1, 64
	rsr.excsave1 a0
	rfe

// What cannot go on: kitFault(cause, where) writes it down and starts again. The
// stack may be what broke, so it gets a new one.
fault:
	rsr.exccause a2
	rsr.epc1 a3
	j give_up
fault_double:
	rsr.exccause a2
	rsr.depc a3
	j give_up
fault_debug:
	movi a2, 0x102
	rsr.epc2 a3
	j give_up
fault_nmi:
	movi a2, 0x103
	rsr.epc3 a3
give_up:
	movi a1, stack_top
	movi a4, 0x2f  // PS: level 15, user
	wsr.ps a4
	rsync
	call0 kitFault
	j give_up

	.text
	.global start
	.align 4
start:
	rsil a2, 15
	movi a2, 0
	wsr.intenable a2
	movi a2, vectors
	wsr.vecbase a2
	movi a1, stack_top
	movi a2, bss_start
	movi a3, bss_end
	movi a4, 0
	call0 fill
	// The rest up to the stack is painted, so that freeHeap can see how deep it went.
	movi a2, bss_end
	movi a3, stack_top
	movi a4, 0x5a5a5a5a
	call0 fill
	movi a2, 0x2f  // PS: level 15, user; kitMain lets interrupts in
	wsr.ps a2
	rsync
	call0 kitMain
	movi a2, 0x104
	mov a3, a0
	j give_up

// fill writes the word a4 from a2 up to a3.
fill:
	bgeu a2, a3, 2f
1:	s32i a4, a2, 0
	addi a2, a2, 4
	bltu a2, a3, 1b
2:	ret
