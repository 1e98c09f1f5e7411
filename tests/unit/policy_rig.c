/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "policy_rig.h"
#include "tree.h"

struct machine_config machine;
struct image_config policy_rig_image[3];

void policy_rig_images(void)
{
	memset(policy_rig_image, 0, sizeof(policy_rig_image));
	strcpy(policy_rig_image[0].name, "linux");
	policy_rig_image[0].memory = 0x4000000;
	policy_rig_image[0].vcpus = 2;
	policy_rig_image[0].vdev_count = 1;
	strcpy(policy_rig_image[0].vdevs[0].name, "net0");
	policy_rig_image[0].vdevs[0].queues = 2;
	policy_rig_image[0].assign_count = 2;
	strcpy(policy_rig_image[0].assigns[0].name, "nvme0");
	strcpy(policy_rig_image[0].assigns[1].name, "tpm");
	policy_rig_image[0].assigns[1].mmio = true;
	policy_rig_image[0].assigns[1].length = 0x1000;
	memset(policy_rig_image[0].measurement, 0x11, LZR_DIGEST_SIZE);
	strcpy(policy_rig_image[1].name, "switch");
	policy_rig_image[1].memory = 0x2000000;
	policy_rig_image[1].vcpus = 1;
	policy_rig_image[1].vdev_count = 1;
	strcpy(policy_rig_image[1].vdevs[0].name, "ports");
	policy_rig_image[1].vdevs[0].queues = 8;
	policy_rig_image[1].vdevs[0].service = true;
	policy_rig_image[1].assign_count = 1;
	strcpy(policy_rig_image[1].assigns[0].name, "nic0");
	memset(&machine, 0, sizeof(machine));
	machine.images = policy_rig_image;
	machine.image_count = 2;
}

void policy_rig_vm(const char *path, const char *image, unsigned memory, unsigned vcpus, unsigned level)
{
	tree_node(path);
	tree_text(path, "image", image);
	tree_cells(path, "label", 3, level, 0, 1);
	tree_cells(path, "memory", 2, 0, memory);
	tree_cells(path, "vcpus", 1, vcpus);
	tree_bytes(path, "cpus", (uint8_t[]){ 0, 0, 0, 1, 0, 0, 0, 0 }, 4 * vcpus);
	tree_cells(path, "budget-us", 1, 5000);
	tree_cells(path, "period-us", 1, 10000);
	tree_cells(path, "max-restarts", 1, 2);
}

/* A new node comes first among its siblings: what is number 0 is made last. */
void policy_rig_build(void)
{
	uint8_t measurement[LZR_DIGEST_SIZE];

	policy_rig_images();
	tree_start();
	tree_text("/", "compatible", LZR_POLICY_COMPATIBLE);
	tree_cells("/", "version", 2, 1, 7);
	tree_bytes("/", "levels", "LOW\0HIGH", 9);
	tree_bytes("/", "categories", "A\0B", 4);
	tree_node("/links");
	tree_node("/links/link@0");
	tree_cells("/links/link@0", "a", 1, 0);
	tree_text("/links/link@0", "a-device", "net0");
	tree_cells("/links/link@0", "a-pair", 1, 0);
	tree_cells("/links/link@0", "b", 1, 1);
	tree_text("/links/link@0", "b-device", "ports");
	tree_cells("/links/link@0", "b-pair", 1, 2);
	tree_cells("/links/link@0", "network", 1, 0);
	tree_cells("/links/link@0", "label", 3, 1, 0, 1);
	tree_node("/networks");
	tree_node("/networks/secret@0");
	tree_cells("/networks/secret@0", "label", 3, 1, 0, 1);
	tree_cells("/networks/secret@0", "uplink", 1, 0);
	tree_node("/devices");
	tree_node("/devices/tpm@1");
	tree_cells("/devices/tpm@1", "mmio", 4, 0, 0xfed40000, 0, 0x1000);
	tree_cells("/devices/tpm@1", "vm", 1, 0);
	tree_text("/devices/tpm@1", "name", "tpm");
	tree_cells("/devices/tpm@1", "label", 3, 1, 0, 1);
	tree_node("/devices/nic@0");
	tree_cells("/devices/nic@0", "pci", 3, 1, 2, 3);
	tree_cells("/devices/nic@0", "id", 2, 0x8086, 0x10d3);
	tree_cells("/devices/nic@0", "vm", 1, 1);
	tree_text("/devices/nic@0", "name", "nic0");
	tree_text("/devices/nic@0", "reset", "bus");
	tree_cells("/devices/nic@0", "label", 3, 1, 0, 1);
	tree_node("/vms");
	policy_rig_vm("/vms/switch@1", "switch", 0x2000000, 1, 0);
	tree_flag("/vms/switch@1", "service");
	tree_flag("/vms/switch@1", "measure-only");
	tree_cells("/vms/switch@1", "trusted-range", 6, 0, 0, 0, 1, 0, 3);
	policy_rig_vm("/vms/red@0", "linux", 0x4000000, 2, 1);
	memset(measurement, 0x11, sizeof(measurement));
	tree_bytes("/vms/red@0", "measurement", measurement, sizeof(measurement));
	tree_cells("/vms/red@0", "attests", 2, 0, 1);
	tree_cells("/vms/red@0", "controls", 1, 1);
}

static bool vm_holds(uint32_t number)
{
	const struct vm_config *v = &machine.vms[number];
	bool good = v->image >= machine.images && v->image < machine.images + machine.image_count &&
		    !v->name[LZR_NAME_MAX - 1] && v->name[0] && v->budget_us && v->budget_us <= v->period_us &&
		    lzr_label_dominates(&v->range_high, &v->label) && lzr_label_dominates(&v->label, &v->range_low);

	for (unsigned i = 0; good && i < v->image->vcpus; i++)
		good = v->cpus[i] < cpu_count();
	for (unsigned i = 0; good && i < RIGHT_COUNT && machine.vm_count < 64; i++)
		good = !(v->rights[i] >> machine.vm_count);
	for (uint32_t i = 0; good && i < number; i++)
		good = strcmp(v->name, machine.vms[i].name) != 0;
	return good;
}

static bool device_holds(uint32_t number)
{
	const struct device_config *d = &machine.devices[number];
	bool good = d->vm < machine.vm_count && d->device < 32 && d->function < 8 && d->steps <= LZR_LOCATION_MAX &&
		    d->place < machine.vms[d->vm].image->assign_count &&
		    machine.vms[d->vm].image->assigns[d->place].mmio == d->mmio;

	for (uint32_t i = 0; good && i < number; i++) {
		const struct device_config *e = &machine.devices[i];

		good = d->vm != e->vm || d->place != e->place;
	}
	return good;
}

static bool end_holds(uint32_t link, const struct link_end_config *end)
{
	bool good = end->vm < machine.vm_count && end->vdev < machine.vms[end->vm].image->vdev_count &&
		    end->pair < machine.vms[end->vm].image->vdevs[end->vdev].queues / 2;

	for (uint32_t i = 0; good && i < link; i++)
		for (unsigned side = 0; good && side < 2; side++)
			good = memcmp(end, &machine.links[i].end[side], sizeof(*end)) != 0;
	return good;
}

bool policy_rig_holds(void)
{
	bool good = machine.vm_count && machine.vm_count <= LZR_VM_MAX && machine.device_count <= LZR_DEVICE_MAX &&
		    machine.network_count <= LZR_NETWORK_MAX && machine.link_count <= LZR_LINK_MAX;

	for (uint32_t i = 0; good && i < machine.vm_count; i++)
		good = vm_holds(i);
	for (uint32_t i = 0; good && i < machine.device_count; i++)
		good = device_holds(i);
	for (uint32_t i = 0; good && i < machine.network_count; i++)
		good = machine.networks[i].uplink == NETWORK_ISOLATED ||
		       machine.networks[i].uplink < machine.device_count;
	for (uint32_t i = 0; good && i < machine.link_count; i++) {
		const struct link_config *link = &machine.links[i];

		good = link->end[0].vm != link->end[1].vm && end_holds(i, &link->end[0]) &&
		       end_holds(i, &link->end[1]) &&
		       (link->network == LINK_CHANNEL || link->network < machine.network_count);
	}
	return good;
}
