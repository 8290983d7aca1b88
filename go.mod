module github.com/cprs-go/cprs

go 1.26
