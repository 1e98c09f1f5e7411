/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "link_rig.h"

#define CANARY 0xa5
#define CANARY_SIZE (16u << 10)
#define GUARD_SIZE 4096u                /* not accessible, outside the canaries */
#define BLOCK_SIZE (RAM_SIZE + 2 * CANARY_SIZE)
#define MSIX_GPA 0xfe000000ull
#define ALLOCATIONS_MAX 64

struct machine_config machine;
struct vm vms[LZR_VM_MAX];
unsigned rig_msis[VM_COUNT], rig_audits[32], rig_says;
uint8_t rig_vector[VM_COUNT];
uint64_t rig_fault;
bool rig_no_memory;
uint8_t *rig_ram[VM_COUNT];

static uint8_t *ram_block[VM_COUNT];
static void *allocations[ALLOCATIONS_MAX];
static unsigned allocation_count;
static struct image_config images[VM_COUNT];
static int locks_held;
static unsigned highest_lock;

/* --- fakes -------------------------------------------------------------------------------------------------------- */

void *guest_ptr(struct vm *vm, gpa_t address, uint64_t length)
{
	assert_true(length > 0);
	if (address.a > RAM_SIZE || length > RAM_SIZE - address.a)
		return NULL;
	return rig_ram[vm->number] + address.a;
}

void vm_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	assert_int_equal(locks_held, 0);
	assert_int_equal(address & ~0xfffffull, 0xfee00000);
	rig_msis[vm->number]++;
	rig_vector[vm->number] = (uint8_t)data;
}

uint64_t rig_drops(unsigned link)
{
	return links[link].end[0].drops + links[link].end[1].drops;
}

void audit(uint32_t vm, enum lzr_audit_event event, uint64_t arg0, uint64_t arg1)
{
	assert_true(vm < VM_COUNT);
	(void)arg0;
	rig_audits[event]++;
	if (event == LZR_AUDIT_RING_FAULT)
		rig_fault = arg1;
}

void say(const char *format, ...)
{
	(void)format;
	rig_says++;
}

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	abort();
}

/* Tickets and owner, as the real one; the order is that of link.c. */
void spin_lock(struct spinlock *lock)
{
	unsigned number = (unsigned)((struct vm *)((char *)lock - offsetof(struct vm, lock)) - vms);

	assert_int_equal(lock->owner, 0);
	assert_true(locks_held == 0 || number > highest_lock);
	lock->owner = 1;
	locks_held++;
	highest_lock = number;
}

void spin_unlock(struct spinlock *lock)
{
	assert_int_equal(lock->owner, 1);
	lock->owner = 0;
	locks_held--;
}

void *mem_alloc_hv(uint64_t length, uint64_t align)
{
	void *memory;

	if (rig_no_memory)
		return NULL;
	assert_true(allocation_count < ALLOCATIONS_MAX);
	length = (length + align - 1) & ~(align - 1);
	memory = aligned_alloc(align, length);
	memset(memory, 0, length);
	allocations[allocation_count++] = memory;
	return memory;
}

enum hv_err mem_alloc(uint64_t length, uint64_t align, unsigned owner, hpa_t *out)
{
	assert_true(owner >= OWNER_VM0);
	*out = hpa((uint64_t)(uintptr_t)mem_alloc_hv(length, align));
	return out->a ? HV_OK : HV_NO_MEMORY;
}

void *hpa_ptr(hpa_t address)
{
	return (void *)(uintptr_t)address.a;
}

enum hv_err vm_map(struct vm *vm, gpa_t at, hpa_t from, uint64_t length, unsigned flags)
{
	(void)vm;
	(void)from;
	assert_true(at.a >= MSIX_GPA && length == PAGE_SIZE);
	assert_int_equal(flags, MAP_READ | MAP_WRITE | MAP_UNCACHED);
	return HV_OK;
}

enum hv_err vm_map_registers(struct vm *vm, gpa_t at, uint64_t length, void **out)
{
	hpa_t page;
	enum hv_err err = mem_alloc(length, PAGE_SIZE, OWNER_VM0 + vm->number, &page);

	if (err != HV_OK)
		return err;
	*out = hpa_ptr(page);
	return vm_map(vm, at, page, length, MAP_READ | MAP_WRITE | MAP_UNCACHED);
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

static void vdev_configure(unsigned vm, const char *name, unsigned queues, bool service, unsigned prefix)
{
	struct image_config *image = &images[vm];
	struct vdev_config *config = &image->vdevs[image->vdev_count];

	snprintf(config->name, sizeof(config->name), "%s", name);
	config->slot = (uint8_t)(1 + image->vdev_count++);
	config->msix_cap = 0x80;
	config->msix_vectors = (uint16_t)(queues + 1);
	config->msix_gpa = MSIX_GPA + config->slot * PAGE_SIZE;
	config->config[0] = 0xf4;
	config->config[1] = 0x1a;
	config->config[0x80] = 0x11;
	config->writable[0x83] = 0xc0;
	config->writable[0x04] = 0x07;
	config->features = VIRTIO_F_VERSION_1 | 0x20;
	config->queues = (uint16_t)queues;
	config->queue_size = 256;
	config->device_config[0] = 0x52;
	config->device_config[5] = 0x99;
	config->device_config_length = 6;
	config->service = service;
	config->prefix_length = (uint8_t)prefix;
	memset(config->prefix, 0xee, prefix);
}

static void link_configure(uint8_t vm0, uint8_t dev0, uint16_t pair0, uint8_t vm1, uint8_t dev1, uint16_t pair1)
{
	machine.links[machine.link_count] = (struct link_config){
		.end = { { .vm = vm0, .vdev = dev0, .pair = pair0 }, { .vm = vm1, .vdev = dev1, .pair = pair1 } },
		.network = LINK_CHANNEL, .label.level = (uint8_t)(0x30 + machine.link_count),
	};
	machine.link_count++;
}

static uint8_t *ram_alloc(void)
{
	uint8_t *block = mmap(NULL, BLOCK_SIZE + 2 * GUARD_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(block, MAP_FAILED);
	block += GUARD_SIZE;
	assert_int_equal(mprotect(block, BLOCK_SIZE, PROT_READ | PROT_WRITE), 0);
	memset(block, CANARY, CANARY_SIZE);
	memset(block + CANARY_SIZE + RAM_SIZE, CANARY, CANARY_SIZE);
	return block;
}

void rig_configure(void)
{
	static const char *const names[VM_COUNT] = { "red", "blue", "svc", "svc2" };

	memset(&machine, 0, sizeof(machine));
	memset(vms, 0, sizeof(vms));
	memset(links, 0, sizeof(links));
	memset(images, 0, sizeof(images));
	memset(rig_msis, 0, sizeof(rig_msis));
	memset(rig_audits, 0, sizeof(rig_audits));
	rig_says = 0;
	rig_no_memory = false;
	machine.vm_count = VM_COUNT;
	memset(machine.policy_digest, 0x77, sizeof(machine.policy_digest));
	for (unsigned i = 0; i < VM_COUNT; i++) {
		ram_block[i] = ram_alloc();
		rig_ram[i] = ram_block[i] + CANARY_SIZE;
		images[i].memory = RAM_SIZE;
		memset(images[i].measurement, (int)(0x10 + i), sizeof(images[i].measurement));
		snprintf(machine.vms[i].name, sizeof(machine.vms[i].name), "%s", names[i]);
		machine.vms[i].image = &images[i];
		machine.vms[i].label.level = (uint8_t)i;
		machine.vms[i].flags = i >= SVC ? VM_SERVICE : 0;
		vms[i].config = &machine.vms[i];
		vms[i].image = &images[i];
		vms[i].number = i;
		vms[i].instance = 100 + i;
	}
	vdev_configure(RED, "net0", 2, false, 0);
	vdev_configure(RED, "chan0", 2, false, 0);
	vdev_configure(BLUE, "net0", 2, false, 0);
	vdev_configure(BLUE, "chan0", 2, false, 0);
	vdev_configure(SVC, "ports", 4, true, 0);
	vdev_configure(SVC, "peer", 2, true, 0);
	vdev_configure(SVC2, "ctl", 2, true, PREFIX);
	link_configure(RED, 0, 0, BLUE, 0, 0);
	link_configure(RED, 1, 0, SVC, 0, 0);
	link_configure(SVC, 0, 1, BLUE, 1, 0);
	link_configure(SVC, 1, 0, SVC2, 0, 0);
}

void rig_setup(void)
{
	rig_configure();
	assert_int_equal(links_create(), HV_OK);
	for (unsigned i = 0; i < VM_COUNT; i++)
		links_vm_started(&vms[i]);
}

static void check_canary(const uint8_t *at)
{
	assert_int_equal(at[0], CANARY);
	assert_int_equal(memcmp(at, at + 1, CANARY_SIZE - 1), 0);
}

void rig_teardown(void)
{
	assert_int_equal(locks_held, 0);
	for (unsigned i = 0; i < VM_COUNT; i++) {
		check_canary(ram_block[i]);
		check_canary(ram_block[i] + CANARY_SIZE + RAM_SIZE);
		munmap(ram_block[i] - GUARD_SIZE, BLOCK_SIZE + 2 * GUARD_SIZE);
	}
	while (allocation_count)
		free(allocations[--allocation_count]);
}

int rig_test_setup(void **state)
{
	(void)state;
	rig_setup();
	return 0;
}

int rig_test_teardown(void **state)
{
	(void)state;
	rig_teardown();
	return 0;
}

struct vdev *rig_vdev(unsigned vm, unsigned index)
{
	assert_non_null(vms[vm].vdevs[index]);
	return vms[vm].vdevs[index];
}

/* --- drivers ------------------------------------------------------------------------------------------------------ */

uint32_t io_read(struct vdev *vdev, unsigned offset, unsigned size)
{
	uint32_t value = 0xdeadbeef;

	vdev_io(vdev, offset, size, false, &value);
	return value;
}

void io_write(struct vdev *vdev, unsigned offset, unsigned size, uint32_t value)
{
	vdev_io(vdev, offset, size, true, &value);
}

void driver_negotiate(struct driver *driver, struct vdev *vdev)
{
	memset(driver, 0, sizeof(*driver));
	driver->vdev = vdev;
	/* Each device of a VM has its own half MiB. */
	driver->next_buffer = (uint64_t)vdev->index * (RAM_SIZE / 4) + 0x8000;
	io_write(vdev, 0x14, 1, 0);
	io_write(vdev, 0x14, 1, 1);
	io_write(vdev, 0x14, 1, 3);
	io_write(vdev, 0x08, 4, 1);
	io_write(vdev, 0x0c, 4, 1);
	io_write(vdev, 0x14, 1, 11);
	assert_int_equal(io_read(vdev, 0x14, 1), 11);
}

void driver_queue_setup(struct driver *driver, unsigned number, unsigned size)
{
	struct driver_queue *queue = &driver->queues[number];
	struct vdev *vdev = driver->vdev;
	uint8_t *ram = rig_ram[vdev->vm->number];
	uint64_t gpa = (uint64_t)vdev->index * (RAM_SIZE / 4) + number * 0x2000;

	*queue = (struct driver_queue){
		.driver = driver, .number = number, .size = size, .gpa = gpa,
		.desc = (struct desc *)(ram + gpa), .avail = (uint16_t *)(ram + gpa + 0x1000),
		.used = (uint16_t *)(ram + gpa + 0x1400),
	};
	memset(ram + gpa, 0, 0x2000);
	io_write(vdev, 0x16, 2, number);
	io_write(vdev, 0x18, 2, size);
	io_write(vdev, 0x1a, 2, number);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned place[3] = { 0, 0x1000, 0x1400 };

		io_write(vdev, 0x20 + 8 * i, 4, (uint32_t)gpa + place[i]);
		io_write(vdev, 0x24 + 8 * i, 4, 0);
	}
	io_write(vdev, 0x1c, 2, 1);
}

void driver_start(struct driver *driver, struct vdev *vdev, unsigned size)
{
	volatile uint32_t *table = (volatile uint32_t *)vdev->msix.page;

	driver_negotiate(driver, vdev);
	vdev_config_write(vdev, 0x82, 2, 0xc000);
	for (unsigned i = 0; i < vdev->config->queues; i++) {
		driver_queue_setup(driver, i, size);
		table[i * 4] = 0xfee01000;
		table[i * 4 + 1] = 0;
		table[i * 4 + 2] = 0x30 + i;
		table[i * 4 + 3] = 0;
	}
	vdev_config_write(vdev, 0x82, 2, 0x8000);
	io_write(vdev, 0x14, 1, 15);
}

uint16_t driver_add(struct driver_queue *queue, const struct rig_part *parts, unsigned count, uint64_t *gpas)
{
	uint16_t head = queue->next_desc;

	for (unsigned i = 0; i < count; i++) {
		uint16_t next = (uint16_t)((queue->next_desc + 1) % queue->size);

		if (queue->driver->next_buffer + parts[i].length > (queue->driver->vdev->index + 1) * (RAM_SIZE / 4))
			queue->driver->next_buffer = queue->driver->vdev->index * (RAM_SIZE / 4) + 0x8000;
		queue->desc[queue->next_desc] = (struct desc){
			.address = queue->driver->next_buffer,
			.length = parts[i].length,
			.flags = (uint16_t)((parts[i].write ? DESC_WRITE : 0) | (i + 1 < count ? DESC_NEXT : 0)),
			.next = next,
		};
		gpas[i] = queue->driver->next_buffer;
		queue->driver->next_buffer += (parts[i].length + 15) & ~15ull;
		queue->next_desc = next;
	}
	return head;
}

void driver_publish(struct driver_queue *queue, uint16_t head)
{
	queue->avail[2 + queue->avail[1] % queue->size] = head;
	queue->avail[1]++;
}

void driver_kick(struct driver_queue *queue)
{
	io_write(queue->driver->vdev, 0x60, 2, queue->number);
}

bool driver_used(struct driver_queue *queue, uint32_t *id, uint32_t *length)
{
	uint32_t element[2];

	if (queue->used[1] == queue->next_used)
		return false;
	memcpy(element, &queue->used[2 + queue->next_used++ % queue->size * 4], sizeof(element));
	if (id)
		*id = element[0];
	if (length)
		*length = element[1];
	return true;
}

uint16_t driver_send(struct driver_queue *queue, const void *bytes, uint32_t length)
{
	uint64_t at;
	uint16_t head = driver_add(queue, &(struct rig_part){ length, false }, 1, &at);

	memcpy(rig_ram[queue->driver->vdev->vm->number] + at, bytes, length);
	driver_publish(queue, head);
	driver_kick(queue);
	return head;
}

uint64_t driver_post(struct driver_queue *queue, uint32_t length)
{
	uint64_t at;

	driver_publish(queue, driver_add(queue, &(struct rig_part){ length, true }, 1, &at));
	driver_kick(queue);
	return at;
}
