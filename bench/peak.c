/* The most that 128-bit multiplications and additions reach here, in GFLOP/s: fourteen independent chains of x = x*m + c in registers, one
   thread, no fused multiply-add. cc -O2 -msse2 -mno-fma -ffp-contract=off peak.c -o peak && ./peak [milliseconds] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef __SSE2__
#include <emmintrin.h>
typedef __m128 vector;
#define SPLAT(v) _mm_set1_ps(v)
#define STEP(x) x = _mm_add_ps(_mm_mul_ps(x, m), c)
#else
#include <arm_neon.h>
typedef float32x4_t vector;
#define SPLAT(v) vdupq_n_f32(v)
#define STEP(x) x = vaddq_f32(vmulq_f32(x, m), c)
#endif

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

int main(int argc, char **argv) {
  const double limit = argc > 1 ? atof(argv[1]) : 20;
  const int turns = 20000;
  vector m = SPLAT(0.999f), c = SPLAT(0.001f);
  vector a[14];
  for (int i = 0; i < 14; i++) a[i] = SPLAT(0.1f * i);
  double best = 1e9;
  const double began = now();
  do {
    vector x0 = a[0], x1 = a[1], x2 = a[2], x3 = a[3], x4 = a[4], x5 = a[5], x6 = a[6];
    vector x7 = a[7], x8 = a[8], x9 = a[9], x10 = a[10], x11 = a[11], x12 = a[12], x13 = a[13];
    const double start = now();
    for (int i = 0; i < turns; i++) {
      STEP(x0); STEP(x1); STEP(x2); STEP(x3); STEP(x4); STEP(x5); STEP(x6);
      STEP(x7); STEP(x8); STEP(x9); STEP(x10); STEP(x11); STEP(x12); STEP(x13);
    }
    const double ms = now() - start;
    a[0] = x0, a[1] = x1, a[2] = x2, a[3] = x3, a[4] = x4, a[5] = x5, a[6] = x6;
    a[7] = x7, a[8] = x8, a[9] = x9, a[10] = x10, a[11] = x11, a[12] = x12, a[13] = x13;
    if (ms < best) best = ms;
  } while (now() - began < limit);
  float sum = 0;
  for (int i = 0; i < 14; i++) sum += ((float *)&a[i])[0];
  printf("%.2f %g\n", 14.0 * turns * 8 / best / 1e6, sum);
  return 0;
}
