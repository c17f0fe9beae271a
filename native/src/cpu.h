/* What this machine can run. */
#ifndef VULTUS_CPU_H
#define VULTUS_CPU_H

/* In rising order: a kernel of a lower ISA runs wherever a higher one does. */
#if defined(__aarch64__)
enum vultus_isa { VULTUS_ISA_ref, VULTUS_ISA_neon, VULTUS_ISA_COUNT };
#else
enum vultus_isa { VULTUS_ISA_ref, VULTUS_ISA_avx2, VULTUS_ISA_avx512, VULTUS_ISA_COUNT };
#endif

/* The highest ISA that the processor has and whose registers the operating system saves. */
enum vultus_isa vultus_cpu_isa(void);

#endif
