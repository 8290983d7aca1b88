// A plug-in that can only be asked for its version, VERSION_MAJOR.VERSION_MINOR.
#include "pjrt_c_api.h"

static PJRT_Error *initialize(PJRT_Plugin_Initialize_Args *args) { return 0; }

static PJRT_Error *attributes(PJRT_Plugin_Attributes_Args *args) {
  args->num_attributes = 0;
  return 0;
}

static const PJRT_Api api = {
    .struct_size = PJRT_Api_STRUCT_SIZE,
    .pjrt_api_version = {.major_version = VERSION_MAJOR, .minor_version = VERSION_MINOR},
    .PJRT_Plugin_Initialize = initialize,
    .PJRT_Plugin_Attributes = attributes,
};

const PJRT_Api *GetPjrtApi(void) { return &api; }
