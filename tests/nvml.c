/* Stands in for NVIDIA's libnvidia-ml.so.1: one GPU that draws 250.5 W, and NVML_FAULTS faults that nobody has heard of.
   Signatures and numbers are those of nvml.h (https://docs.nvidia.com/deploy/nvml-api). */
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, TIMEOUT = 10 };
typedef struct { unsigned int gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { void *device; unsigned long long type, data; unsigned int gi, ci; } Event;
typedef struct { unsigned int version, supported; } GpmSupport;
typedef struct { unsigned int id; int result; double value; char *names[3]; } GpmMetric;
typedef struct { unsigned int version, count; void *first, *second; GpmMetric metrics[]; } GpmMetrics;

static int it, faults;

int nvmlInit_v2(void) {
  const char *said = getenv("NVML_FAULTS");
  faults = said ? atoi(said) : 0;
  return SUCCESS;
}
int nvmlInitWithFlags(unsigned int flags) { return nvmlInit_v2(); }
int nvmlShutdown(void) { return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 1; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) { *device = &it; return SUCCESS; }
int nvmlDeviceGetName(void *device, char *name, unsigned int size) {
  strncpy(name, "Stand-in GPU", size);
  return SUCCESS;
}
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned int size) {
  strncpy(uuid, "GPU-00000000-0000-0000-0000-000000000001", size);
  return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(void *device, Utilization *rates) {
  rates->gpu = 42;
  return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
  memory->total = 80ULL << 30, memory->used = 8ULL << 30, memory->free = 72ULL << 30;
  return SUCCESS;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned int *milliwatts) { *milliwatts = 250500; return SUCCESS; }
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
  *millijoules = 1234500;
  return SUCCESS;
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *celsius) { *celsius = 61; return SUCCESS; }
int nvmlEventSetCreate(void **set) { *set = &faults; return SUCCESS; }
int nvmlDeviceRegisterEvents(void *device, unsigned long long types, void *set) { return SUCCESS; }
int nvmlEventSetWait_v2(void *set, Event *event, unsigned int milliseconds) {
  return faults && faults-- ? SUCCESS : TIMEOUT;
}
int nvmlGpmQueryDeviceSupport(void *device, GpmSupport *support) { support->supported = 1; return SUCCESS; }
int nvmlGpmSampleAlloc(void **sample) { *sample = malloc(1); return SUCCESS; }
int nvmlGpmSampleGet(void *device, void *sample) { return SUCCESS; }
int nvmlGpmMetricsGet(GpmMetrics *asked) {
  for (unsigned int place = 0; place < asked->count; place++) {
    asked->metrics[place].result = SUCCESS;
    asked->metrics[place].value = asked->metrics[place].id == 5 ? 30 : 20;
  }
  return SUCCESS;
}
