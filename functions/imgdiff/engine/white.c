/*
 * Pixels laid on white, and their luma.
 *
 * Stateless: the caller (white.py) gives packed RGBA and room for as many pixels.
 */

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint8_t u8;
typedef uint32_t u32;

/* value / 255, rounded to the nearest, for any product of two samples: there are no ties. */
static inline u32 by_255(u32 value) { return (value + 128 + ((value + 128) >> 8)) >> 8; }

EXPORT void on_white(const u8 *restrict rgba, size_t pixels, u8 *restrict white) {
    for (size_t i = 0; i < 4 * pixels; i += 4) {
        const u32 alpha = rgba[i + 3];
        for (size_t c = 0; c < 3; c++) {
            white[i + c] = (u8)(255 - by_255(alpha * (255u - rgba[i + c])));
        }
        white[i + 3] = (u8)alpha;
    }
}

/* Rec. 601 in 65536ths, rounded. */
EXPORT void luma(const u8 *restrict rgba, size_t pixels, u8 *restrict luma) {
    for (size_t i = 0; i < pixels; i++) {
        const u8 *pixel = rgba + 4 * i;
        luma[i] = (u8)((19595u * pixel[0] + 38470u * pixel[1] + 7471u * pixel[2] + 0x8000u) >> 16);
    }
}
