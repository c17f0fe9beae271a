#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>

static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

static int has_avxvnni(void)
{
#if defined(VULTUS_NO_AVXVNNI)
    return 0; /* there are no kernels for it */
#else
    unsigned eax, ebx, ecx, edx;
    /* Leaf 7.1, EAX: AVX-VNNI 4; it uses the registers of AVX2. */
    return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & (1u << 4));
#endif
}

enum vultus_isa vultus_cpu_isa(void)
{
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
        return VULTUS_ISA_ref;
    /* Leaf 1, ECX: FMA 12, OSXSAVE 27, AVX 28. */
    const unsigned needed = (1u << 12) | (1u << 27) | (1u << 28);
    if ((ecx & needed) != needed)
        return VULTUS_ISA_ref;
    /* XCR0: XMM 1, YMM 2. AVX without them faults or loses registers at a context switch. */
    if ((saved_registers() & 6u) != 6u)
        return VULTUS_ISA_ref;
    /* Leaf 7, EBX: AVX2 5. */
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(ebx & (1u << 5)))
        return VULTUS_ISA_ref;
    /* Leaf 7, EBX: AVX512F 16, AVX512BW 30; ECX: AVX512_VNNI 11. XCR0: opmask 5, upper halves 6 and 7. */
    const unsigned wide = (1u << 16) | (1u << 30);
    if ((ebx & wide) != wide || !(ecx & (1u << 11)) || (saved_registers() & 0xe6u) != 0xe6u)
        return has_avxvnni() ? VULTUS_ISA_avxvnni : VULTUS_ISA_avx2;
    return VULTUS_ISA_avx512;
}

int vultus_cpu_has(enum vultus_isa isa)
{
    return isa <= vultus_cpu_isa() && (isa != VULTUS_ISA_avxvnni || has_avxvnni());
}

#elif defined(__aarch64__)

/* Every 64-bit Arm has NEON. */
enum vultus_isa vultus_cpu_isa(void)
{
    return VULTUS_ISA_neon;
}

int vultus_cpu_has(enum vultus_isa isa)
{
    return isa <= VULTUS_ISA_neon;
}

#else

enum vultus_isa vultus_cpu_isa(void)
{
    return VULTUS_ISA_ref;
}

int vultus_cpu_has(enum vultus_isa isa)
{
    return isa == VULTUS_ISA_ref;
}

#endif
