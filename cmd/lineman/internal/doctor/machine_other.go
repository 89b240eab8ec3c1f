//go:build !linux

package doctor

import "errors"

func openFilesLimit() (uint64, error) { return 0, errors.ErrUnsupported }

func inStep() (bool, error) { return false, errors.ErrUnsupported }
