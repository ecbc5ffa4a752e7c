// Codes chirps and noise with the Opus speech and music codec (floating point), and decodes them again.
#include "corpus.h"
#include <math.h>
#include <opus.h>

enum { RATE = 16000, FRAME = RATE / 50 };

PROGRAM run(i32 frames) {
    static short in[FRAME], out[FRAME];
    u8 packet[1500];
    u32 sum = 0;
    int error;
    OpusEncoder *encoder = opus_encoder_create(RATE, 1, OPUS_APPLICATION_AUDIO, &error);
    OpusDecoder *decoder = opus_decoder_create(RATE, 1, &error);
    if (!encoder || !decoder) return -1;
    opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(5));
    double phase = 0;
    for (int f = 0; f < frames; f++) {
        opus_encoder_ctl(encoder, OPUS_SET_BITRATE(f / 16 % 2 ? 12000 : 48000));
        for (int i = 0; i < FRAME; i++) {
            phase += 0.02 + 0.3 * fabs(sin(f * 0.05));
            in[i] = (short)(9000 * sin(phase) + 4000 * sin(2.1 * phase) + 500 * (rng_unit() - 0.5));
        }
        int size = opus_encode(encoder, in, FRAME, packet, sizeof packet);
        if (size < 0 || opus_decode(decoder, packet, size, out, FRAME, 0) != FRAME) return -2;
        sum = mix_bytes(mix_bytes(sum, packet, size), out, 64);
    }
    return sum;
}
