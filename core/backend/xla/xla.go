//go:build xla

package xla

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// The versions of PJRT's interface that go-xla can speak to: it calls nothing newer than 0.57, where the functions were put in another
// order for the last time.
const (
	major      = 0
	leastMinor = 57
)

// go-xla registers its backend when it is imported. Its installer would fetch a plug-in at the first use, even where one is found; this
// product downloads nothing on its own. And it calls into a plug-in of any version, which is checked here.
func init() {
	xla.EnableAutoInstall(false)
	compute.Register(xla.BackendName, open)
}

func open(config string) (compute.Backend, error) {
	name, _, _ := strings.Cut(config, ",")
	plugin, err := pjrt.GetPlugin(name)
	if err != nil {
		return nil, err
	}
	if a, b := plugin.Version(); a != major || b < leastMinor {
		return nil, fmt.Errorf("the plug-in %s speaks version %d.%d of PJRT's interface, want %d.%d or a later %d", plugin.Path(), a, b, major, leastMinor, major)
	}
	return xla.New(config)
}
