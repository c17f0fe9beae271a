/* What this machine can run. */
#ifndef VULTUS_CPU_H
#define VULTUS_CPU_H

/* In rising order: a kernel of a lower ISA runs wherever a higher one does; but see vultus_cpu_has for AVX-VNNI. */
#if defined(__aarch64__)
enum vultus_isa { VULTUS_ISA_ref, VULTUS_ISA_neon, VULTUS_ISA_COUNT };
#else
enum vultus_isa { VULTUS_ISA_ref, VULTUS_ISA_avx2, VULTUS_ISA_avxvnni, VULTUS_ISA_avx512, VULTUS_ISA_COUNT };
#endif

/* The highest ISA that the processor has and whose registers the operating system saves. */
enum vultus_isa vultus_cpu_isa(void);

/* Whether kernels of this ISA may run: all up to the highest, except those for AVX-VNNI where AVX-512 stands alone. */
int vultus_cpu_has(enum vultus_isa isa);

#endif
