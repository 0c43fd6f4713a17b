/* A stand-in for pyxis: it takes pyxis's options, and shows each task the image and mounts that it would have used. */
#include <slurm/spank.h>
#include <stdlib.h>
#include <string.h>

SPANK_PLUGIN(pyxis, 1);

static const char *names[] = {"container-image", "container-mounts", "container-workdir", "container-env"};
static const char *shown[] = {"STUB_IMAGE", "STUB_MOUNTS", "STUB_WORKDIR", "STUB_ENV"};
static char *given[4];

static int take(int which, const char *value, int remote)
{
	(void)remote;
	given[which] = strdup(value);
	return ESPANK_SUCCESS;
}

int slurm_spank_init(spank_t spank, int count, char **arguments)
{
	(void)count;
	(void)arguments;
	for (int which = 0; which < 4; which++) {
		struct spank_option option = {(char *)names[which], "VALUE", "stand-in for pyxis", 1, which, take};
		if (spank_option_register(spank, &option) != ESPANK_SUCCESS)
			return ESPANK_ERROR;
	}
	return ESPANK_SUCCESS;
}

int slurm_spank_task_init(spank_t spank, int count, char **arguments)
{
	(void)count;
	(void)arguments;
	for (int which = 0; which < 4; which++)
		if (given[which] != NULL)
			spank_setenv(spank, shown[which], given[which], 1);
	return ESPANK_SUCCESS;
}
