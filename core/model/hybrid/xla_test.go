//go:build xla

package hybrid

import _ "github.com/cprs-go/cprs/core/backend/xla"
