//go:build xla

package train

import _ "github.com/cprs-go/cprs/core/backend/xla"
