//go:build xla

package graph

import _ "github.com/cprs-go/cprs/core/backend/xla"
