// Dispatches between timestamps. Before it is included, pumice_label is the type of a
// label, and PUMICE_TIMESTAMPS the number of that kind of query: the two versions of
// wgpu-native differ in these.
extern void *wgpuDeviceCreateQuerySet(void *device, void const *descriptor);
extern void wgpuCommandEncoderResolveQuerySet(void *encoder, void *set, uint32_t first, uint32_t count, void *dst, uint64_t offset);

static void *pumice_new_queries(void *device, uint32_t n) {
	struct { void const *next; pumice_label label; uint32_t type, count; } d = {.type = PUMICE_TIMESTAMPS, .count = n};
	return wgpuDeviceCreateQuerySet(device, &d);
}

// pumice_stamp submits commands as pumice_submit does, but with each dispatch in a pass
// of its own, whose start and end are written to the query set and copied to stage.
static void pumice_stamp(void *device, void *queue, pumice_command const *c, size_t n, void *set, void *resolve, void *stage) {
	void *encoder = wgpuDeviceCreateCommandEncoder(device, NULL);
	uint32_t queries = 0;
	for (size_t i = 0; i < n; i++) {
		if (c[i].pipeline == NULL) {
			wgpuCommandEncoderCopyBufferToBuffer(encoder, c[i].src, c[i].src_offset, c[i].dst, c[i].dst_offset, c[i].size);
			continue;
		}
		struct { void *set; uint32_t begin, end; } writes = {set, queries, queries + 1};
		struct { void const *next; pumice_label label; void const *writes; } d = {.writes = &writes};
		queries += 2;
		void *pass = wgpuCommandEncoderBeginComputePass(encoder, &d);
		wgpuComputePassEncoderSetPipeline(pass, c[i].pipeline);
		wgpuComputePassEncoderSetBindGroup(pass, 0, c[i].group, 0, NULL);
		wgpuComputePassEncoderDispatchWorkgroups(pass, c[i].x, c[i].y, c[i].z);
		wgpuComputePassEncoderEnd(pass);
		wgpuComputePassEncoderRelease(pass);
	}
	wgpuCommandEncoderResolveQuerySet(encoder, set, 0, queries, resolve, 0);
	wgpuCommandEncoderCopyBufferToBuffer(encoder, resolve, 0, stage, 0, 8 * (uint64_t)queries);
	pumice_end(encoder, queue);
}
