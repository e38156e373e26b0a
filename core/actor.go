package core

import "context"

type actorKey struct{}

// As returns a ctx in which changes are made by the account id, for the audit.
func As(ctx context.Context, id AccountID) context.Context {
	return context.WithValue(ctx, actorKey{}, id)
}

// Actor returns who makes the changes of ctx; 0 is the program itself.
func Actor(ctx context.Context) AccountID {
	id, _ := ctx.Value(actorKey{}).(AccountID)
	return id
}
