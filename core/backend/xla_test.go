//go:build xla

package backend_test

import _ "github.com/cprs-go/cprs/core/backend/xla"
