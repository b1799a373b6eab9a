"""What the pages of the operators' console share: keyset lists, forms that refuse as the API does, markup."""
