package judge

import (
	"context"

	"github.com/pumice-ml/pumice/internal/ir"
)

// Verdicts gives the verdicts on a program's launches, and the keys of those that failed:
// they are refused, and the tape must be lowered again. The error wraps ErrWrongNumbers
// where a kernel is left that nothing can stand for.
func (d *Device) Verdicts(list []ir.Dispatch, bake bool) (how, failed []string, err error) {
	verdicts, err := d.judge(context.Background(), list, bake)
	if err != nil {
		return nil, nil, err
	}
	var plain []*ir.Dispatch
	for i, v := range verdicts {
		how = append(how, v.how)
		if v.how == unjudged && v.reason == "" && v.key != "" {
			if list[i].Merged != "" { // what it merges can be judged one by one
				d.checks.Lock()
				d.checks.bad[v.key] = "it is too large to be judged"
				d.checks.Unlock()
				failed = append(failed, v.key)
				continue
			}
			d.unjudged(&list[i])
		}
		if v.reason == "" {
			continue
		}
		failed = append(failed, v.key)
		one := &list[i]
		switch {
		case one.Merged != "":
			d.Warn(one.Kernel.Name(), string(one.Merged), v.reason)
		case one.Consts["accumulate"] == "false":
			d.addsOnly(one.Kernel)
			d.Warn(one.Kernel.Name(), string(ir.Accumulate), v.reason)
		case one.Baked(bake) && !one.Kernel.Entry().Subgroup:
			plain = append(plain, one)
		default:
			d.condemn(one, v.reason)
		}
	}
	if len(plain) == 0 {
		return how, failed, nil
	}
	// Params in a uniform may do where constants do not.
	var uniform []ir.Dispatch
	for _, one := range plain {
		u := *one
		u.Uniform = true
		uniform = append(uniform, u)
	}
	others, err := d.judge(context.Background(), uniform, bake)
	if err != nil {
		return nil, nil, err
	}
	for i, v := range others {
		text, err := plain[i].Text(bake)
		if err != nil {
			return nil, nil, err
		}
		reason := d.reason(d.Key(plain[i], text))
		if v.reason == "" {
			d.Warn(plain[i].Kernel.Name(), string(ir.Specialise), reason)
		} else {
			d.condemn(plain[i], reason)
		}
	}
	return how, failed, nil
}
