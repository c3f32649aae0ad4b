// The calls that replay a plan and wait for it, as one call from Go each. The
// prototypes are those of webgpu.h and wgpu.h with opaque handles; they are the
// same in wgpu-native 0.19 and 27, but for what pumice_binding.h declares.
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

extern void *wgpuDeviceCreateCommandEncoder(void *device, void const *descriptor);
extern void *wgpuCommandEncoderBeginComputePass(void *encoder, void const *descriptor);
extern void wgpuComputePassEncoderSetPipeline(void *pass, void *pipeline);
extern void wgpuComputePassEncoderSetBindGroup(void *pass, uint32_t index, void *group, size_t count, uint32_t const *offsets);
extern void wgpuComputePassEncoderDispatchWorkgroups(void *pass, uint32_t x, uint32_t y, uint32_t z);
extern void wgpuComputePassEncoderEnd(void *pass);
extern void wgpuComputePassEncoderRelease(void *pass);
extern void wgpuCommandEncoderCopyBufferToBuffer(void *encoder, void *src, uint64_t src_offset, void *dst, uint64_t dst_offset, uint64_t size);
extern void *wgpuCommandEncoderFinish(void *encoder, void const *descriptor);
extern void wgpuCommandEncoderRelease(void *encoder);
extern void wgpuCommandBufferRelease(void *commands);
extern void *wgpuDeviceGetQueue(void *device);
extern void wgpuQueueRelease(void *queue);
extern void wgpuQueueSubmit(void *queue, size_t count, void *const *commands);
extern void wgpuQueueWriteBuffer(void *queue, void *buffer, uint64_t offset, void const *data, size_t size);
extern uint32_t wgpuDevicePoll(void *device, uint32_t wait, void const *index);
extern void const *wgpuBufferGetConstMappedRange(void *buffer, size_t offset, size_t size);
extern void wgpuBufferUnmap(void *buffer);

typedef struct {
	void *pipeline, *group;
	uint32_t x, y, z, pad;
	void *src, *dst;
	uint64_t src_offset, dst_offset, size;
} pumice_command;

#ifdef PUMICE_REOPEN
// Releasing an encoder frees what it holds only while a flag of the encoder says that it
// is open, which finishing it has ended (wgpu-native issue 541: 900 bytes are lost with
// each). The flag is the one byte that finishing changes, from 1 to 0; it is set again.
enum { pumice_encoder_size = 32 };

static inline void pumice_reopen(uint8_t *encoder, uint8_t const *before) {
	int flag = -1;
	for (int i = 0; i < pumice_encoder_size; i++) {
		if (encoder[i] == before[i]) continue;
		if (flag >= 0 || before[i] != 1 || encoder[i] != 0) return;
		flag = i;
	}
	if (flag >= 0) encoder[flag] = 1;
}
#endif

// pumice_end submits what an encoder holds, and frees it.
static inline void pumice_end(void *encoder, void *queue) {
#ifdef PUMICE_REOPEN
	uint8_t before[pumice_encoder_size];
	memcpy(before, encoder, sizeof before);
#endif
	void *commands = wgpuCommandEncoderFinish(encoder, NULL);
#ifdef PUMICE_REOPEN
	pumice_reopen(encoder, before);
#endif
	wgpuCommandEncoderRelease(encoder);
	wgpuQueueSubmit(queue, 1, &commands);
	wgpuCommandBufferRelease(commands);
}

static inline void pumice_submit(void *device, void *queue, pumice_command const *c, size_t n) {
	void *encoder = wgpuDeviceCreateCommandEncoder(device, NULL);
	void *pass = NULL;
	for (size_t i = 0; i < n; i++) {
		if (c[i].pipeline == NULL) {
			if (pass != NULL) {
				wgpuComputePassEncoderEnd(pass);
				wgpuComputePassEncoderRelease(pass);
				pass = NULL;
			}
			wgpuCommandEncoderCopyBufferToBuffer(encoder, c[i].src, c[i].src_offset, c[i].dst, c[i].dst_offset, c[i].size);
			continue;
		}
		if (pass == NULL) {
			pass = wgpuCommandEncoderBeginComputePass(encoder, NULL);
		}
		wgpuComputePassEncoderSetPipeline(pass, c[i].pipeline);
		wgpuComputePassEncoderSetBindGroup(pass, 0, c[i].group, 0, NULL);
		wgpuComputePassEncoderDispatchWorkgroups(pass, c[i].x, c[i].y, c[i].z);
	}
	if (pass != NULL) {
		wgpuComputePassEncoderEnd(pass);
		wgpuComputePassEncoderRelease(pass);
	}
	pumice_end(encoder, queue);
}

// pumice_state is written by a callback, on whichever thread polls. It lives on
// the stack of a C function that returns only after the callback has fired.
typedef struct {
	int done; // 0 pending, 1 success, 2 failure
	char text[512];
} pumice_state;

static inline void pumice_finish(pumice_state *s, int ok) {
	__atomic_store_n(&s->done, ok ? 1 : 2, __ATOMIC_RELEASE);
}

#ifdef PUMICE_POLL_BRIEFLY
#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#endif
#endif

// pumice_await polls until the callback has fired. Where a poll that waits gives
// up after 5 s and fires the callbacks of unfinished work (wgpu 0.19), only polls
// that do not wait are safe; the pauses between them grow to 1 ms.
static inline int pumice_await(void *device, pumice_state *s) {
	int done;
#ifdef PUMICE_POLL_BRIEFLY
	long pause = 10000; // ns
	for (;;) {
		wgpuDevicePoll(device, 0, NULL);
		if ((done = __atomic_load_n(&s->done, __ATOMIC_ACQUIRE)) != 0) break;
#ifdef _WIN32
		Sleep(1);
#else
		struct timespec t = {0, pause};
		nanosleep(&t, NULL);
#endif
		if (pause < 1000000) pause *= 2;
	}
#else
	while ((done = __atomic_load_n(&s->done, __ATOMIC_ACQUIRE)) == 0) {
		wgpuDevicePoll(device, 1, NULL);
	}
#endif
	return done == 1;
}
